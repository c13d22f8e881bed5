import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";
import { stopFlags } from "../flags/stop.ts";

/** Restarts containers. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Restart containers",
  aliases: ["container restart", "restart"],
  flags: stopFlags,
  arity: atLeast(1),
  completes: "container",
  async run(flags, { args, changed, client }) {
    return await forEachArgument(args, async (name) => {
      await client.call("POST", `/containers/${encodeURIComponent(name)}/restart`, {
        query: {
          signal: flags.signal || undefined,
          t: changed.has("timeout") ? flags.timeout : undefined,
        },
      });
    });
  },
});
