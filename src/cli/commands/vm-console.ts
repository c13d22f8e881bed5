import { tty as terminal } from "../builtin.ts";
import { defineCommand, exactly } from "../command.ts";
import { copyStreams } from "../io/attachment.ts";
import { err } from "../io/output.ts";
import { machinePath } from "../machines/types.ts";

/** Joins this terminal to a machine's serial console. */
export const command = defineCommand({
  usage: "[OPTIONS] MACHINE",
  summary: "Work at the serial console of a virtual machine",
  flags: { "detach-keys": { type: "string", help: "Keys that leave the console, instead of ctrl-p,ctrl-q" } },
  arity: exactly(1),
  completes: "machine",
  async run(flags, { args: [name = ""], client }) {
    const detachKeys = flags["detach-keys"];
    const console = await client.request("POST", `${machinePath(name)}/console`, {
      query: { detachKeys: detachKeys || undefined },
      upgrade: true,
    });
    if (terminal.isatty(0)) err(`Leave the console with ${detachKeys || "ctrl-p ctrl-q"}.\n`);
    await copyStreams(console, { tty: true, stdin: true, output: true, detachKeys });
    return 0;
  },
});
