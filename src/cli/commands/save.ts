import { tty } from "../builtin.ts";
import { atLeast, defineCommand } from "../command.ts";
import { CliError, errorMessage } from "../errors.ts";
import { saveBody } from "../io/files.ts";
import { platformJson } from "../platform.ts";

/** Writes images to an archive. */
export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Write images to a tar archive",
  aliases: ["image save", "save"],
  flags: {
    output: { type: "string", short: "o", completes: "file", help: "File to write instead of stdout" },
    platform: { type: "string", help: "Only this platform of the images (os[/arch[/variant]])" },
  },
  arity: atLeast(1),
  completes: "image",
  async run(flags, { args, client }) {
    if (flags.output === "" && tty.isatty(1))
      throw new CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    const { body } = await client.request("GET", "/images/get", {
      query: { names: args, platform: flags.platform ? platformJson(flags.platform) : undefined },
    });
    try {
      await saveBody(body, flags.output);
    } catch (error) {
      throw new CliError(`failed to save image: ${errorMessage(error)}`);
    }
    return 0;
  },
});
