import { limitFlags, limitsBody, putProcesses } from "../cgroups/flags.ts";
import { defineCommand, exactly } from "../command.ts";
import { err, out } from "../io/output.ts";

/** Makes a control group without a container. */
export const command = defineCommand({
  usage: "[OPTIONS] GROUP",
  summary: "Make a control group, limit it, and put processes into it",
  flags: limitFlags,
  arity: exactly(1),
  async run(flags, { args: [path = ""], changed, client }) {
    const { Path, Warnings } = await client.json<{ Path: string; Warnings: string[] }>(
      "POST",
      "/berth/cgroups",
      {
        body: { Path: path, ...limitsBody(flags, changed) },
      },
    );
    for (const warning of Warnings) err(`WARNING: ${warning}\n`);
    await putProcesses(client, Path, flags.pid);
    out(`${Path}\n`);
    return 0;
  },
});
