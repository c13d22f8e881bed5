import { text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { inspectAll, inspectFormatFlag } from "../inspect.ts";

/** Shows all that is known of networks. */
export const command = defineCommand({
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  summary: "Show everything about networks",
  flags: {
    format: inspectFormatFlag,
    verbose: { type: "bool", short: "v", help: "Show more, for diagnosis" },
  },
  arity: atLeast(1),
  completes: "network",
  async run(flags, { args, client }) {
    const get = async (name: string) => {
      const { body } = await client.request("GET", `/networks/${encodeURIComponent(name)}`, {
        query: { verbose: flags.verbose ? true : undefined },
      });
      return await text(body);
    };
    return await inspectAll(args, get, flags.format);
  },
});
