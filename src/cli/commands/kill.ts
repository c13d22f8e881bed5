import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";

/** Sends a signal to containers, SIGKILL by default. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Kill running containers",
  aliases: ["container kill", "kill"],
  flags: {
    signal: { type: "string", short: "s", help: "Signal to send instead of SIGKILL" },
  },
  arity: atLeast(1),
  completes: "container",
  async run(flags, { args, client }) {
    return await forEachArgument(args, async (name) => {
      await client.call("POST", `/containers/${encodeURIComponent(name)}/kill`, {
        query: { signal: flags.signal || undefined },
      });
    });
  },
});
