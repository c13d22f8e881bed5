import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";
import { machinePath } from "../machines/types.ts";

/** Starts virtual machines. */
export const command = defineCommand({
  usage: "MACHINE [MACHINE...]",
  summary: "Start virtual machines",
  flags: {},
  arity: atLeast(1),
  completes: "machine",
  run: (_, { args, client }) =>
    forEachArgument(args, async (name) => {
      await client.call("POST", `${machinePath(name)}/start`);
    }),
});
