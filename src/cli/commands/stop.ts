import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";
import { stopFlags } from "../flags/stop.ts";

/** Stops containers. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop running containers",
  aliases: ["container stop", "stop"],
  flags: stopFlags,
  arity: atLeast(1),
  completes: "container",
  async run(flags, { args, changed, client }) {
    return await forEachArgument(args, async (name) => {
      await client.call("POST", `/containers/${encodeURIComponent(name)}/stop`, {
        query: {
          signal: flags.signal || undefined,
          t: changed.has("timeout") ? flags.timeout : undefined,
        },
      });
    });
  },
});
