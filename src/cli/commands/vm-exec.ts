import { atLeast, defineCommand } from "../command.ts";
import { execFlags, execIn } from "../exec.ts";
import { machinePath } from "../machines/types.ts";

/** Runs a command in the system of a running machine. */
export const command = defineCommand({
  usage: "[OPTIONS] MACHINE COMMAND [ARG...]",
  summary: "Run a command in the system of a running virtual machine",
  flags: execFlags,
  arity: atLeast(2),
  flagsFirst: true,
  completes: "machine",
  run: (flags, { args: [name = "", ...command], client }) =>
    execIn(client, machinePath(name), command, flags),
});
