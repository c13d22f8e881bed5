import { createReadStream } from "node:fs";
import { isatty } from "node:tty";
import { defineCommand, noArgs } from "../command.ts";
import { CliError } from "../errors.ts";
import { showProgress } from "../io/progress.ts";

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
    if (flags.input === "" && isatty(0)) throw new CliError("requested load from stdin, but stdin is empty");
    const body =
      flags.input === "" ? process.stdin : createReadStream(flags.input, { highWaterMark: 1 << 20 });
    if (flags.input !== "")
      await new Promise((resolve, reject) => {
        body.once("ready", resolve);
        body.once("error", ({ code, message }: NodeJS.ErrnoException) =>
          reject(
            new CliError(code === "ENOENT" ? `open ${flags.input}: no such file or directory` : message),
          ),
        );
      });
    const response = await client.request("POST", "/images/load", {
      query: { quiet: flags.quiet ? 1 : 0, platform: flags.platform || undefined },
      body,
    });
    await showProgress(response.body);
    return 0;
  },
});
