import { bytesSize } from "../format/units.ts";
import { renderProgram } from "./program.ts";
import type { LaunchExplanation } from "./types.ts";

type Step = LaunchExplanation["steps"][number] & { number: number };

/** What each group of steps isolates, in the order shown. */
const groups: Record<string, string> = {
  user: "User: whose ids and rights its processes have",
  pid: "PID: which processes it sees",
  namespaces: "Namespaces shared with others",
  "root file system": "Root file system: the image's layers as one tree",
  mounts: "Mounts: which file systems it sees",
  devices: "Devices: which of them it may use",
  network: "Network: interfaces, addresses, ports",
  ipc: "IPC: shared memory and message queues",
  hostname: "UTS: its host name",
  cgroup: "Control groups: how much it may use",
  terminal: "Terminal",
  protection: "Protected paths: what of the kernel it must not read or change",
  privileges: "Privileges: capabilities and system calls",
  process: "Process: what is run",
  "virtual machine": "Virtual machine: its programs and files",
};
const longest = 84;

/** A launch plan as text: its system calls by what they isolate, numbered in the order of their making. */
export function renderLaunch({ image, command, steps, machine }: LaunchExplanation): string {
  const words = JSON.stringify(command);
  const what = machine
    ? `make the sandbox of a virtual machine that runs ${words} of ${image}, ${machine.inside.length} more in its guest`
    : `run ${words} of ${image}`;
  return [
    `${steps.length} system calls would ${what}. Nothing has been done.`,
    "Their numbers are their order. host: before the process exists; parent: beside it, while it waits;",
    "child: by the process itself, before it becomes the program. {…} are open descriptors.",
    "",
    ...(machine ? renderMachine(machine) : []),
    ...(machine ? ["── On the host: the sandbox", ""] : []),
    ...renderSteps(steps),
    ...(machine ? ["── In the guest: the container's process", "", ...renderSteps(machine.inside)] : []),
  ].join("\n");
}

function renderSteps(steps: LaunchExplanation["steps"]): string[] {
  const numbered = steps.map((step, index) => ({ ...step, number: index + 1 }));
  const names = [...new Set([...Object.keys(groups), ...steps.map(({ group }) => group)])];
  return names.flatMap((name) => {
    const own = numbered.filter(({ group }) => group === name);
    return own.length > 0 ? [renderGroup(groups[name] ?? name, own)] : [];
  });
}

const added = (device: string): string => `    device_add ${device}`;

function renderMachine(machine: NonNullable<LaunchExplanation["machine"]>): string[] {
  const { memory, cpus, kernel, accelerator, type, template, hypervisor, fileServer, plugged } = machine;
  return [
    "Virtual machine",
    `  ${bytesSize(memory)} of memory, ${cpus} ${cpus === 1 ? "processor" : "processors"}, kernel ${kernel}`,
    `  by the accelerator ${accelerator} (${type}); ${template ? `goes on from the template ${template}` : "boots"}`,
    "",
    ...[fileServer, hypervisor].flatMap((program) => [...renderProgram(program), ""]),
    ...(plugged.length > 0
      ? ["  before it goes on, by the control protocol", ...plugged.map(added), ""]
      : []),
  ];
}

function renderGroup(title: string, steps: readonly Step[]): string {
  const width = Math.min(longest, Math.max(...steps.map(({ call }) => call.length)));
  const lines = steps.map(({ number, phase, call, why }) => {
    const left = `${String(number).padStart(5)} ${phase.padEnd(6)}  ${call}`;
    return why === "" ? left : `${left}${" ".repeat(Math.max(0, width - call.length))}  # ${why}`;
  });
  return `${title}\n${lines.join("\n")}\n`;
}
