import { existsSync, mkdirSync, rmSync } from "node:fs";
import { chooseAccelerator } from "../../hypervisor/accelerator.ts";
import type { Device } from "../../hypervisor/devices.ts";
import { newToken } from "../../hypervisor/guest/channel.ts";
import { MachineControl } from "../../hypervisor/machine/control.ts";
import { type KernelBoot, qemuArguments, qemuProgram } from "../../hypervisor/qemu.ts";
import { BerthError, system } from "../../lib/errors.ts";
import { LaunchError } from "../../runtime/launch-error.ts";
import type { NetworkSetup, Shim } from "../../runtime/types.ts";
import type { EngineContext } from "../context.ts";
import { containerDirectory } from "../create.ts";
import { readLogs } from "../logs/logs.ts";
import { shimLog } from "../logs/options.ts";
import { dropAgent } from "./agent.ts";
import { availableMemory } from "./memory.ts";
import { inside, machinePaths } from "./paths.ts";
import { diskNode, type Machine } from "./record.ts";
import { type Share, sandbox } from "./sandbox.ts";
import { writeSystemInitrd } from "./system.ts";

/** The hypervisor's descriptor of its first link. */
const firstTap = 3;
/** Milliseconds until a hypervisor must answer. */
const patience = 20_000;
const messageLimit = 2000;

/** Starts a machine's hypervisor; resolves when it answers. Rejects with what it said when it ends instead. */
export async function startMachine(
  context: EngineContext,
  machine: Machine,
  network: NetworkSetup,
): Promise<Shim> {
  const { record } = machine;
  const { memory } = record.machine;
  const available = availableMemory();
  if (memory > available)
    throw new BerthError(
      "UNAVAILABLE",
      `the machine needs ${memory} bytes of memory; the host has ${available} available`,
    );
  const paths = machinePaths(context, machine.id);
  const accelerator = chooseAccelerator();
  rmSync(paths.run, { recursive: true, force: true });
  mkdirSync(paths.run, { mode: 0o700 });
  const { boot, version, shares } = prepareBoot(context, machine);
  const args = qemuArguments({
    name: record.name,
    chipset: boot ? "microvm" : "q35",
    accelerator,
    memory,
    cpus: record.machine.cpus,
    boot,
    devices: devices(machine, boot !== null),
    controlSocket: inside.control,
    // A microvm's firmware lies in memory that a guest's restart does not bring back.
    reboot: boot ? "exit" : "reset",
  });
  const directory = containerDirectory(context, machine.id);
  record.state.idRange = context.idRanges.take();
  const owner = {
    id: machine.id,
    directory,
    cgroupPath: record.cgroupPath,
    idRange: record.state.idRange,
    limits: record.hostConfig,
    log: shimLog(record, directory),
    waitForAttach: machine.pendingAttaches.size,
  };
  const launch = sandbox(context, owner, {
    args: [qemuProgram, ...args],
    shares: [{ source: paths.files, destination: "/machine", writable: true }, ...shares],
    network,
    taps: record.state.network?.endpoints.map(({ link }) => link) ?? [],
    terminal: true,
    nodes: accelerator.name === "kvm" ? ["/dev/kvm"] : [],
  });
  record.machine.hypervisor = {
    accelerator: accelerator.name,
    type: accelerator.type,
    kernel: version,
  };
  const shim = await launched(context, launch);
  dropAgent(machine);
  machine.control = await answering(context, machine, shim, paths.control);
  return shim;
}

async function launched(
  context: EngineContext,
  launch: Parameters<EngineContext["runtime"]["start"]>[0],
): Promise<Shim> {
  try {
    return await context.runtime.start(launch);
  } catch (error) {
    if (error instanceof LaunchError && error.exitCode === 127)
      throw new BerthError(
        "UNAVAILABLE",
        `there is no hypervisor: ${qemuProgram} is not installed. Run \`scripts/setup.sh --with-vm\`, or install the package qemu-system-x86`,
        { cause: error },
      );
    throw error;
  }
}

function devices({ record }: Machine, system: boolean): Device[] {
  const links = record.state.network?.endpoints ?? [];
  return [
    { kind: "disk", id: diskNode, file: inside.disk, format: "qcow2" },
    ...links.map(({ mac }, at): Device => ({ kind: "network", id: `net${at}`, fd: firstTap + at, mac })),
    { kind: "balloon" },
    { kind: "rng" },
    { kind: "panic" },
    ...(system ? [{ kind: "port" as const, name: "berth.control", socket: inside.agent }] : []),
  ];
}

interface GuestBoot {
  /** Null where the firmware boots what is on the disk. */
  boot: KernelBoot | null;
  /** The guest kernel's version, as far as it is known. */
  version: string;
  shares: Share[];
}

function prepareBoot(context: EngineContext, machine: Machine): GuestBoot {
  const { record } = machine;
  if ("disk" in record.machine.source) return { boot: null, version: "", shares: [] };
  const kernel = writeSystemInitrd(context, machine, machinePaths(context, machine.id).initrd);
  record.machine.token = newToken();
  // Of the ways to restart, a triple fault is the one that QEMU heeds at once. After ACPI's the kernel goes on to
  // the next way when QEMU is slow, and jumps into firmware that is not there any more.
  const restart = "reboot=t";
  const own = ["console=ttyS0", "quiet", "net.ifnames=0", `berth.token=${record.machine.token}`];
  return {
    boot: { image: inside.kernel, initrd: inside.initrd, commandLine: [...own, restart] },
    version: kernel.version,
    shares: [{ source: kernel.image, destination: inside.kernel }],
  };
}

/** The control connection, or the reason why there is none. */
async function answering(
  context: EngineContext,
  machine: Machine,
  shim: Shim,
  socket: string,
): Promise<MachineControl> {
  const ended = shim.exited.then(
    () => null,
    () => null,
  );
  const opening = MachineControl.open(socket, patience, () => dropAgent(machine));
  const control = await Promise.race([opening.catch(() => null), ended]);
  if (control) return control;
  opening.then(
    (late) => late.close(),
    () => undefined,
  );
  await shim.signal(9);
  await ended;
  const said = await lastWords(context, machine);
  await shim.dispose();
  throw system(`the hypervisor did not start: ${said || "it ended without a word"}`);
}

/** The end of what a machine's hypervisor wrote to its console. */
async function lastWords(context: EngineContext, machine: Machine): Promise<string> {
  const lines: string[] = [];
  for await (const { line } of readLogs(context, machine, { stdout: true, stderr: true, tail: 5 }))
    lines.push(line.toString("utf8").trim());
  return lines.filter(Boolean).join(" ").slice(-messageLimit);
}

/** Whether a hypervisor's sockets are there, for a daemon that finds a machine running. */
export const hasControl = (context: EngineContext, machine: Machine): boolean =>
  existsSync(machinePaths(context, machine.id).control);
