import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";
import { machineStopFlags } from "../machines/flags.ts";
import { machinePath } from "../machines/types.ts";

/** Restarts virtual machines. */
export const command = defineCommand({
  usage: "[OPTIONS] MACHINE [MACHINE...]",
  summary: "Stop virtual machines and start them again",
  flags: machineStopFlags,
  arity: atLeast(1),
  completes: "machine",
  run: ({ timeout }, { args, changed, client }) =>
    forEachArgument(args, async (name) => {
      await client.call("POST", `${machinePath(name)}/restart`, {
        query: { t: changed.has("timeout") ? timeout : undefined },
      });
    }),
});
