import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";

/** Freezes all processes of containers. */
export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  summary: "Pause all processes of containers",
  aliases: ["container pause", "pause"],
  flags: {},
  arity: atLeast(1),
  completes: "container",
  async run(_flags, { args, client }) {
    return await forEachArgument(args, async (name) => {
      await client.call("POST", `/containers/${encodeURIComponent(name)}/pause`);
    });
  },
});
