import { readFileSync } from "node:fs";
import { readStatus } from "../../lib/proc.ts";
import type { ProcessList } from "./ps-output.ts";
import { hostUsers } from "./ps-users.ts";

/** USER_HZ, in which /proc counts time on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;
const DAY_S = 86_400;

const Titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];

/** What `ps -ef` would show of processes on a machine that was booted then. */
export function showProcesses(processes: readonly ProcessFiles[], procStat: string): ProcessList {
  const names = hostUsers();
  return { Titles, Processes: processes.map((files) => row(files, names, bootTime(procStat))) };
}

/** What `ps -ef` would show of these processes, read from /proc: for machines without ps. */
export function listProcesses(pids: readonly number[]): ProcessList {
  const names = hostUsers();
  const bootMs = bootTime();
  return {
    Titles,
    Processes: pids.flatMap((pid) => {
      const row = readRow(pid, names, bootMs);
      return row ? [row] : [];
    }),
  };
}

/** What /proc tells of a process. */
export interface ProcessFiles {
  pid: number;
  stat: string;
  command: string;
  uid: number;
}

function readRow(pid: number, names: ReadonlyMap<number, string>, bootMs: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    const uid = Number(readStatus(pid).get("Uid")?.split("\t")[1]);
    return row({ pid, stat, command, uid }, names, bootMs);
  } catch (error) {
    // It ended meanwhile.
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return null;
    throw error;
  }
}

function row(files: ProcessFiles, names: ReadonlyMap<number, string>, bootMs: number): string[] {
  const { pid, stat, command, uid } = files;
  const { name, parent, terminal, cpuTicks, startTicks } = parseStat(stat);
  const startMs = bootMs + (startTicks * 1000) / TICKS_PER_SECOND;
  const cpuSeconds = Math.floor(cpuTicks / TICKS_PER_SECOND);
  const age = Math.max(1, (Date.now() - startMs) / 1000);
  return [
    names.get(uid) ?? String(uid),
    String(pid),
    String(parent),
    String(Math.min(99, Math.floor((cpuSeconds * 100) / age))),
    startText(startMs),
    terminalName(terminal),
    timeText(cpuSeconds),
    command.replaceAll("\0", " ").trim() || `[${name}]`,
  ];
}

/** proc_pid_stat(5); the name, in parentheses, may hold blanks and parentheses itself. */
export function parseStat(stat: string): {
  name: string;
  parent: number;
  terminal: number;
  cpuTicks: number;
  startTicks: number;
} {
  const [open, close] = [stat.indexOf("("), stat.lastIndexOf(")")];
  const fields = stat
    .slice(close + 2)
    .split(" ")
    .map(Number);
  const [, parent = 0, , , terminal = 0] = fields;
  const [user = 0, system = 0] = fields.slice(11);
  return {
    name: stat.slice(open + 1, close),
    parent,
    terminal,
    cpuTicks: user + system,
    startTicks: fields[19] ?? 0,
  };
}

const bootTime = (procStat = readFileSync("/proc/stat", "latin1")): number =>
  Number(/^btime (\d+)$/m.exec(procStat)?.[1] ?? 0) * 1000;

/** The time of a day, the day of a year, or the year. */
function startText(ms: number): string {
  const age = (Date.now() - ms) / 1000;
  const date = new Date(ms);
  if (age < DAY_S) return `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (age < 365 * DAY_S) return `${date.toLocaleString("en", { month: "short" })}${two(date.getDate())}`;
  return String(date.getFullYear());
}

/** A device number as stat has it: major in bits 8 to 15 here, minor around them. */
export function terminalName(device: number): string {
  if (device === 0) return "?";
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  if (device === 0x501) return "console";
  return "?";
}

function timeText(seconds: number): string {
  const days = Math.floor(seconds / DAY_S);
  const clock = [Math.floor((seconds % DAY_S) / 3600), Math.floor((seconds % 3600) / 60), seconds % 60].map(
    two,
  );
  return `${days > 0 ? `${two(days)}-` : ""}${clock.join(":")}`;
}

const two = (number: number): string => String(number).padStart(2, "0");
