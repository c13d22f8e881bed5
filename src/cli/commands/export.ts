import { tty } from "../builtin.ts";
import { defineCommand, exactly } from "../command.ts";
import { CliError, errorMessage } from "../errors.ts";
import { saveBody } from "../io/files.ts";

/** Writes a container's filesystem to an archive. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Write a container's filesystem to a tar archive",
  aliases: ["container export", "export"],
  flags: {
    output: { type: "string", short: "o", completes: "file", help: "File to write instead of stdout" },
  },
  arity: exactly(1),
  completes: "container",
  async run(flags, { args: [name = ""], client }) {
    if (flags.output === "" && tty.isatty(1))
      throw new CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    const { body } = await client.request("GET", `/containers/${encodeURIComponent(name)}/export`);
    try {
      await saveBody(body, flags.output);
    } catch (error) {
      throw new CliError(`failed to export container: ${errorMessage(error)}`);
    }
    return 0;
  },
});
