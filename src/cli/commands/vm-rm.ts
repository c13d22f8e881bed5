import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";
import { machinePath } from "../machines/types.ts";

/** Removes virtual machines. */
export const command = defineCommand({
  usage: "[OPTIONS] MACHINE [MACHINE...]",
  summary: "Remove virtual machines with their disks and snapshots",
  aliases: ["vm rm", "vm remove"],
  flags: { force: { type: "bool", short: "f", help: "End a machine that is running" } },
  arity: atLeast(1),
  completes: "machine",
  run: ({ force }, { args, client }) =>
    forEachArgument(args, async (name) => {
      await client.call("DELETE", machinePath(name), { query: { force: force ? 1 : undefined } });
    }),
});
