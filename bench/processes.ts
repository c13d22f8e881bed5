import { readdirSync, readFileSync } from "node:fs";

/** The text of a file under /proc, or null when the process is gone. */
function readProc(path: string): string | null {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOENT" || code === "ESRCH") return null;
    throw error;
  }
}

/** The parent's PID, or null when the process is gone. */
export function parentOf(pid: number): number | null {
  // The name in parentheses may itself hold blanks and parentheses.
  const stat = readProc(`${pid}/stat`);
  return stat === null ? null : Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** A process and all that descend from it. */
export function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? parentOf(pid) : null;
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

function kilobytes(path: string, field: string): number {
  const line = readProc(path)?.match(new RegExp(`^${field}:\\s+(\\d+) kB`, "m"));
  return Number(line?.[1] ?? 0);
}

/** Resident memory in bytes, what is shared with others counted whole. */
export function residentBytes(pids: number[]): number {
  return pids.reduce((sum, pid) => sum + kilobytes(`${pid}/status`, "VmRSS") * 1024, 0);
}

/** Memory in bytes, what is shared counted in equal parts to those who share it (PSS). */
export function proportionalBytes(pids: number[]): number {
  return pids.reduce((sum, pid) => sum + kilobytes(`${pid}/smaps_rollup`, "Pss") * 1024, 0);
}

/** The same of mappings of certain files alone. */
export function proportionalBytesOf(pids: number[], name: RegExp): number {
  const ofOne = (pid: number): number => {
    let [wanted, sum] = [false, 0];
    for (const line of (readProc(`${pid}/smaps`) ?? "").split("\n")) {
      if (/^[0-9a-f]+-/.test(line)) wanted = name.test(line);
      else if (wanted && line.startsWith("Pss:")) sum += Number(/\d+/.exec(line)?.[0] ?? 0) * 1024;
    }
    return sum;
  };
  return pids.reduce((sum, pid) => sum + ofOne(pid), 0);
}

/** The processes that hold a container: the ancestors of its first process below `shared` ones and PID 1. */
export function holdersOf(containerPid: number, shared: number[]): number[] {
  const holders: number[] = [];
  let pid = parentOf(containerPid);
  while (pid !== null && pid > 1 && !shared.includes(pid)) {
    holders.push(pid);
    pid = parentOf(pid);
  }
  return holders;
}
