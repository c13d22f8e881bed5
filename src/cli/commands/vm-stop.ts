import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";
import { machineStopFlags } from "../machines/flags.ts";
import { machinePath } from "../machines/types.ts";

/** Stops virtual machines. */
export const command = defineCommand({
  usage: "[OPTIONS] MACHINE [MACHINE...]",
  summary: "Stop virtual machines: the guest shuts down, or is ended after a while",
  flags: machineStopFlags,
  arity: atLeast(1),
  completes: "machine",
  run: ({ timeout }, { args, changed, client }) =>
    forEachArgument(args, async (name) => {
      await client.call("POST", `${machinePath(name)}/stop`, {
        query: { t: changed.has("timeout") ? timeout : undefined },
      });
    }),
});
