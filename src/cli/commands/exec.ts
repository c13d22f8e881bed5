import { atLeast, defineCommand } from "../command.ts";
import { execFlags, execIn } from "../exec.ts";

/** Runs a command in a running container. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Run a command in a running container",
  aliases: ["container exec", "exec"],
  flags: execFlags,
  arity: atLeast(2),
  flagsFirst: true,
  completes: "container",
  run: (flags, { args: [name = "", ...command], client }) =>
    execIn(client, `/containers/${encodeURIComponent(name)}`, command, flags),
});
