import type { ContainerWaitResponse } from "@docker/node-sdk";
import { atLeast, defineCommand } from "../command.ts";
import { CliError, errorMessage } from "../errors.ts";
import { out } from "../io/output.ts";

/** Waits for containers to stop and prints their exit statuses. */
export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  summary: "Wait until containers stop, then print their exit codes",
  aliases: ["container wait", "wait"],
  flags: {},
  arity: atLeast(1),
  completes: "container",
  async run(_flags, { args, client }) {
    const errors: string[] = [];
    for (const name of args) {
      try {
        const path = `/containers/${encodeURIComponent(name)}/wait`;
        const { StatusCode, Error: failure } = await client.json<ContainerWaitResponse>("POST", path);
        if (failure?.Message) errors.push(failure.Message);
        else out(`${StatusCode}\n`);
      } catch (error) {
        errors.push(errorMessage(error));
      }
    }
    if (errors.length > 0) throw new CliError(errors.join("\n"));
    return 0;
  },
});
