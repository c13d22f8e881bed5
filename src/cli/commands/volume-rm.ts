import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";

/** Removes volumes. */
export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Remove volumes that no container uses",
  aliases: ["volume rm", "volume remove"],
  flags: { force: { type: "bool", short: "f", help: "Do not fail for a volume that does not exist" } },
  arity: atLeast(1),
  completes: "volume",
  async run(flags, { args, client }) {
    return await forEachArgument(args, async (name) => {
      await client.call("DELETE", `/volumes/${encodeURIComponent(name)}`, {
        query: { force: flags.force ? 1 : undefined },
      });
    });
  },
});
