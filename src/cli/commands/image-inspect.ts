import { text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { inspectAll, inspectFormatFlag } from "../inspect.ts";
import { platformJson } from "../platform.ts";

/** Shows all that is known of images. */
export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Show everything about images",
  flags: {
    format: inspectFormatFlag,
    platform: { type: "string", help: "Platform of an image that has several (os[/arch[/variant]])" },
  },
  arity: atLeast(1),
  completes: "image",
  async run(flags, { args, client }) {
    const get = async (name: string) => {
      const { body } = await client.request("GET", `/images/${encodeURIComponent(name)}/json`, {
        query: { extras: 1, platform: flags.platform ? platformJson(flags.platform) : undefined },
      });
      return await text(body);
    };
    return await inspectAll(args, get, flags.format);
  },
});
