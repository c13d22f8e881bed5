import { rmSync } from "node:fs";
import { MachineControl, type MachineEnd } from "../../hypervisor/machine/control.ts";
import type { ExitStatus } from "../../runtime/types.ts";
import type { EngineContext } from "../context.ts";
import { dropAgent } from "./agent.ts";
import { machinePaths } from "./paths.ts";
import type { Machine } from "./record.ts";
import { hasControl } from "./start.ts";

/**
 * Notes why a machine's hypervisor ended, and lets its control connection go. True when the guest restarts
 * itself, and so wants another hypervisor.
 */
export async function settleEnd(
  context: EngineContext,
  machine: Machine,
  status: ExitStatus,
): Promise<boolean> {
  const { state } = machine.record;
  const end = (await machine.control?.end()) ?? null;
  state.error = reason(machine, status, end);
  machine.control?.close();
  dropAgent(machine);
  machine.control = null;
  rmSync(machinePaths(context, machine.id).run, { recursive: true, force: true });
  return end === "guest-reset" && !state.stoppedByUser;
}

function reason({ record }: Machine, { exitCode, signal, oomKilled }: ExitStatus, end: MachineEnd): string {
  const { oomKilled: seen, stoppedByUser } = record.state;
  if (end === "guest-panic") return "the guest's kernel panicked";
  if (oomKilled || seen) return "the hypervisor was killed: it used more memory than the machine may";
  if (signal !== null && !stoppedByUser) return `the hypervisor was killed by signal ${signal}`;
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
