import { text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { inspectAll, inspectFormatFlag } from "../inspect.ts";

/** Shows all that is known of containers. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Show everything about containers",
  flags: {
    format: inspectFormatFlag,
    size: { type: "bool", short: "s", help: "Show sizes of the filesystem" },
  },
  arity: atLeast(1),
  completes: "container",
  async run(flags, { args, client }) {
    const get = async (name: string) => {
      const { body } = await client.request("GET", `/containers/${encodeURIComponent(name)}/json`, {
        query: { size: flags.size ? 1 : undefined },
      });
      return await text(body);
    };
    return await inspectAll(args, get, flags.format);
  },
});
