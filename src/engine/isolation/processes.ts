import { type GuestRuntime, guestGroup } from "../../runtime/guest/runtime.ts";
import { Plan } from "../../runtime/plan/plan.ts";
import type { ProcessFiles } from "../top/ps-proc.ts";

const statLimit = 64 << 10;

/** The container's processes as its guest lists them, and the guest's /proc/stat. */
export async function readProcesses(
  guest: GuestRuntime,
): Promise<{ processes: ProcessFiles[]; stat: string }> {
  const plan = new Plan()
    .group("processes")
    .add("host", "read_file", [null, "/proc/stat", statLimit], "when it was booted")
    .add("host", "list_processes", [guestGroup], "what runs there");
  const [stat, ...processes] = await guest.run(plan);
  return { stat: stat?.toString("latin1") ?? "", processes: processes.map(parse) };
}

/** A process's stat, status and cmdline, parted by zero bytes. */
function parse(answer: Buffer): ProcessFiles {
  const text = answer.toString("utf8");
  const [stat = "", status = ""] = text.split("\0", 2);
  return {
    pid: Number.parseInt(stat, 10),
    stat,
    command: text.slice(stat.length + status.length + 2),
    uid: Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1]),
  };
}
