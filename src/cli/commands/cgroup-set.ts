import { groupUrl, limitFlags, limitsBody, putProcesses } from "../cgroups/flags.ts";
import { defineCommand, exactly } from "../command.ts";
import { CliError } from "../errors.ts";
import { err } from "../io/output.ts";

/** Changes a control group's limits and members. */
export const command = defineCommand({
  usage: "OPTIONS GROUP",
  summary: "Change a control group's limits, or put processes into it",
  flags: limitFlags,
  arity: exactly(1),
  async run(flags, { args: [path = ""], changed, client }) {
    if (changed.size === 0) throw new CliError("you must provide one or more flags when using this command");
    if (changed.size > (changed.has("pid") ? 1 : 0)) {
      const body = limitsBody(flags, changed);
      const { Warnings } = await client.json<{ Warnings: string[] }>("POST", groupUrl(path, "/update"), {
        body,
      });
      for (const warning of Warnings) err(`WARNING: ${warning}\n`);
    }
    await putProcesses(client, path, flags.pid);
    return 0;
  },
});
