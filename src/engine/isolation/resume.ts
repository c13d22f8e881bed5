import { setTimeout as sleep } from "node:timers/promises";
import { plugArguments } from "../../hypervisor/devices.ts";
import { type ContainerMachine, plugged, savedState } from "../../hypervisor/guest/machine.ts";
import { isObject } from "../../hypervisor/json-lines.ts";
import { Qmp } from "../../hypervisor/qmp.ts";
import { system } from "../../lib/errors.ts";
import type { Shim } from "../../runtime/types.ts";

/** How long a hypervisor may take to read a state, on a machine under load. */
const timeout = 20_000;
/** How often it is asked whether it has. */
const pollMs = 3;

/** The memory is there already. */
export const memoryStays = { capabilities: [{ capability: "x-ignore-shared", state: true }] };

/** Gives a machine its template's state and what the template had not got, and lets it go on. */
export async function resumeMachine(
  supervisor: Shim,
  socket: string,
  machine: ContainerMachine,
): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  supervisor.exited.then(end, end);
  const monitor = await Qmp.connect(socket, { timeout, signal: ended.signal });
  try {
    await monitor.execute("migrate-set-capabilities", memoryStays);
    await monitor.execute("migrate-incoming", { uri: savedState(machine) });
    await restored(monitor);
    for (const device of plugged(machine)) await monitor.execute("device_add", plugArguments(device));
    await monitor.execute("cont");
  } finally {
    monitor.close();
  }
}

async function restored(monitor: Qmp): Promise<void> {
  for (const deadline = Date.now() + timeout; Date.now() < deadline; await sleep(pollMs)) {
    const answer = await monitor.execute("query-status");
    if (!isObject(answer) || answer.status !== "inmigrate") return;
  }
  throw system("the hypervisor did not finish reading the template's state");
}
