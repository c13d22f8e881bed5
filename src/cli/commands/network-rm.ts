import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";

/** Removes networks. */
export const command = defineCommand({
  usage: "NETWORK [NETWORK...]",
  summary: "Remove networks",
  aliases: ["network rm", "network remove"],
  flags: { force: { type: "bool", short: "f", help: "Do not fail for a network that does not exist" } },
  arity: atLeast(1),
  completes: "network",
  async run(flags, { args, client }) {
    return await forEachArgument(
      args,
      async (name) => {
        await client.call("DELETE", `/networks/${encodeURIComponent(name)}`);
      },
      { ignore: (error) => flags.force && error.status === 404, quiet: true },
    );
  },
});
