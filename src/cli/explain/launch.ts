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
};
const longest = 84;

/** A launch plan as text: its system calls by what they isolate, numbered in the order of their making. */
export function renderLaunch({ image, command, steps }: LaunchExplanation): string {
  const numbered = steps.map((step, index) => ({ ...step, number: index + 1 }));
  const names = [...new Set([...Object.keys(groups), ...steps.map(({ group }) => group)])];
  const parts = names.flatMap((name) => {
    const own = numbered.filter(({ group }) => group === name);
    return own.length > 0 ? [renderGroup(groups[name] ?? name, own)] : [];
  });
  return [
    `${steps.length} system calls would run ${JSON.stringify(command)} of ${image}. Nothing has been done.`,
    "Their numbers are their order. host: before the process exists; parent: beside it, while it waits;",
    "child: by the process itself, before it becomes the program. {…} are open descriptors.",
    "",
    ...parts,
  ].join("\n");
}

function renderGroup(title: string, steps: readonly Step[]): string {
  const width = Math.min(longest, Math.max(...steps.map(({ call }) => call.length)));
  const lines = steps.map(({ number, phase, call, why }) => {
    const left = `${String(number).padStart(5)} ${phase.padEnd(6)}  ${call}`;
    return why === "" ? left : `${left}${" ".repeat(Math.max(0, width - call.length))}  # ${why}`;
  });
  return `${title}\n${lines.join("\n")}\n`;
}
