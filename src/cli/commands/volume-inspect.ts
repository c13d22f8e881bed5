import { text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { inspectAll, inspectFormatFlag } from "../inspect.ts";

/** Shows all that is known of volumes. */
export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  summary: "Show everything about volumes",
  flags: {
    format: inspectFormatFlag,
  },
  arity: atLeast(1),
  completes: "volume",
  async run(flags, { args, client }) {
    const get = async (name: string) => {
      const { body } = await client.request("GET", `/volumes/${encodeURIComponent(name)}`);
      return await text(body);
    };
    return await inspectAll(args, get, flags.format);
  },
});
