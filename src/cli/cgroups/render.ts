import { alignColumns } from "../format/columns.ts";
import { bytesSize } from "../format/units.ts";
import type { GroupDetails, GroupLimits, GroupTree } from "./types.ts";

const none = "-";

const of = (used: string | undefined, limit: string | undefined): string => {
  if (used === undefined) return limit === undefined ? none : `${none} / ${limit}`;
  return limit === undefined ? used : `${used} / ${limit}`;
};

const size = (bytes: number | undefined): string | undefined =>
  bytes === undefined ? undefined : bytesSize(bytes);

const count = (number: number | undefined): string | undefined =>
  number === undefined ? undefined : `${number}`;

/** Seconds to three places of what matters: 0.012s, 3.45s, 1234s. */
const seconds = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : `${time.toFixed(time < 1 ? 3 : time < 100 ? 2 : 0)}s`;

const cpus = (limits: GroupLimits): string | undefined => {
  const parts: string[] = [];
  if (limits.cpus !== undefined) parts.push(`${Number(limits.cpus.toFixed(3))} CPUs`);
  if (limits.cpuShares !== undefined) parts.push(`${limits.cpuShares} shares`);
  if (limits.cpuWeight !== undefined) parts.push(`weight ${limits.cpuWeight}`);
  if (limits.cpusetCpus !== undefined) parts.push(`on ${limits.cpusetCpus}`);
  return parts.length > 0 ? parts.join(", ") : undefined;
};

/** Whose it is, behind its name. */
const owner = ({ container, ahead }: GroupTree): string =>
  container ? ` (${container})` : ahead ? " (begun ahead)" : "";

const ids = /[0-9a-f]{64}/g;

/** The groups as a tree with what each uses and may use. Ids of containers are shortened. */
export function renderTree(root: GroupTree): string {
  const lines = ["GROUP\tPROCESSES\tMEMORY\tCPU\tPIDS"];
  const add = (group: GroupTree, lead: string, name: string) => {
    const { limits, usage } = group;
    lines.push(
      [
        `${lead}${name.replace(ids, (id) => id.slice(0, 12))}${owner(group)}`,
        group.processes,
        of(size(usage.memory), size(limits.memory)),
        of(seconds(usage.cpuSeconds), cpus(limits)),
        of(count(usage.pids), count(limits.pids)),
      ].join("\t"),
    );
  };
  const below = (group: GroupTree, indent: string) => {
    for (const [index, child] of group.children.entries()) {
      const last = index === group.children.length - 1;
      add(child, `${indent}${last ? "└─ " : "├─ "}`, child.path.slice(child.path.lastIndexOf("/") + 1));
      below(child, `${indent}${last ? "   " : "│  "}`);
    }
  };
  add(root, "", root.path);
  below(root, "");
  return `${alignColumns(lines.join("\n"), { minWidth: 0, padding: 3 })}\n`;
}

/** One group in full. */
export function renderGroup(group: GroupDetails): string {
  const { limits, usage } = group;
  const rows: [string, string | undefined][] = [
    ["Group", group.path],
    ["Container", group.container ?? (group.ahead ? "none yet: begun ahead of a start" : undefined)],
    ["Controllers", group.controllers.join(" ") || none],
    ["Memory", of(size(usage.memory), size(limits.memory))],
    ["Memory and swap", size(limits.memorySwap)],
    ["Memory kept", size(limits.memoryReservation)],
    ["CPU", of(seconds(usage.cpuSeconds), cpus(limits))],
    ["Memory nodes", limits.cpusetMems],
    ["PIDs", of(count(usage.pids), count(limits.pids))],
    ["Below it", group.children.length > 0 ? group.children.join("\n\t") : undefined],
    ["Directories", group.directories.join("\n\t")],
    ["Processes", group.members.map(({ pid, command }) => `${pid} ${command}`).join("\n\t") || none],
  ];
  const text = rows
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}:\t${value}`)
    .join("\n");
  return `${alignColumns(text, { minWidth: 0, padding: 2 })}\n`;
}
