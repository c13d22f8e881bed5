import { rmSync } from "node:fs";
import { MachineControl } from "../../hypervisor/machine/control.ts";
import type { ExitStatus } from "../../runtime/types.ts";
import type { EngineContext } from "../context.ts";
import { dropAgent } from "./agent.ts";
import { machinePaths } from "./paths.ts";
import type { Machine } from "./record.ts";
import { hasControl } from "./start.ts";

/** Notes why a machine's hypervisor ended, and lets its control connection go. */
export function settleEnd(context: EngineContext, machine: Machine, status: ExitStatus): void {
  const { state } = machine.record;
  state.error = reason(machine, status);
  machine.control?.close();
  dropAgent(machine);
  machine.control = null;
  rmSync(machinePaths(context, machine.id).run, { recursive: true, force: true });
}

function reason({ control, record }: Machine, { exitCode, signal, oomKilled }: ExitStatus): string {
  if (control?.end === "guest-panic") return "the guest's kernel panicked";
  if (oomKilled || record.state.oomKilled)
    return "the hypervisor was killed: it used more memory than the machine may";
  if (signal !== null && !record.state.stoppedByUser) return `the hypervisor was killed by signal ${signal}`;
  if (exitCode !== 0 && signal === null)
    return `the hypervisor failed with status ${exitCode}; its console says more`;
  return "";
}

/** Connects to the hypervisor of a machine that was found running. */
export async function adoptMachine(context: EngineContext, machine: Machine): Promise<void> {
  if (!hasControl(context, machine)) return;
  try {
    machine.control = await MachineControl.open(machinePaths(context, machine.id).control, 5000, () =>
      dropAgent(machine),
    );
  } catch (error) {
    context.log.warn("a machine's hypervisor does not answer", { machine: machine.id, error: String(error) });
  }
}
