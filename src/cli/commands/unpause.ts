import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";

/** Thaws containers. */
export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  summary: "Let paused containers go on",
  aliases: ["container unpause", "unpause"],
  flags: {},
  arity: atLeast(1),
  completes: "container",
  async run(_flags, { args, client }) {
    return await forEachArgument(args, async (name) => {
      await client.call("POST", `/containers/${encodeURIComponent(name)}/unpause`);
    });
  },
});
