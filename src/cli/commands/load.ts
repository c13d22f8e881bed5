import { tty } from "../builtin.ts";
import { defineCommand, noArgs } from "../command.ts";
import { CliError } from "../errors.ts";
import { openInput } from "../io/files.ts";
import { showProgress } from "../io/progress.ts";
import { platformJson } from "../platform.ts";

/** Loads images from an archive. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Load images from a tar archive",
  aliases: ["image load", "load"],
  flags: {
    input: { type: "string", short: "i", completes: "file", help: "File to read instead of stdin" },
    platform: { type: "string", help: 'Load only this platform ("os[/arch[/variant]]")' },
    quiet: { type: "bool", short: "q", help: "Do not show progress" },
  },
  arity: noArgs,
  async run(flags, { client }) {
    if (flags.input === "" && tty.isatty(0))
      throw new CliError("requested load from stdin, but stdin is empty");
    const body = await openInput(flags.input || "-");
    const response = await client.request("POST", "/images/load", {
      query: {
        quiet: flags.quiet ? 1 : 0,
        platform: flags.platform ? platformJson(flags.platform) : undefined,
      },
      body,
    });
    await showProgress(response.body);
    return 0;
  },
});
