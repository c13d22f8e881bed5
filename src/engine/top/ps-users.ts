import { existsSync, readFileSync } from "node:fs";
import type { IdMapping } from "../../runtime/oci.ts";
import type { ProcessList } from "./ps-output.ts";

/** Titles of ps's columns of users and which of the four ids of /proc/PID/status each shows. */
const columns: Record<string, number> = {
  RUID: 0,
  RUSER: 0,
  EUID: 1,
  EUSER: 1,
  UID: 1,
  USER: 1,
  SUID: 2,
  SUSER: 2,
  FUID: 3,
  FSUID: 3,
  FUSER: 3,
};

/**
 * Puts the users that a container's processes have inside in place of the mapped ids by which the
 * host knows them. Names are the host's for the same id, as ps prints them without user namespaces.
 */
export function nameUsers(list: ProcessList, psArgs: string, mappings: readonly IdMapping[]): void {
  const pidColumn = list.Titles.indexOf("PID");
  const names = hostUsers();
  for (const [column, title] of list.Titles.entries()) {
    const which = columns[title];
    if (which === undefined) continue;
    // "UID" heads names in `ps -f`, and numbers where it was asked for by name.
    const numeric =
      title.endsWith("ID") &&
      (title !== "UID" || /(^|[\s,=])uid\b/.test(psArgs) || /^\s*l|-?\bl\b/.test(psArgs));
    for (const row of list.Processes) {
      const id = inside(mappings, Number(row[pidColumn]), which);
      if (id !== null) row[column] = numeric ? String(id) : (names.get(id) ?? String(id));
    }
  }
}

function inside(mappings: readonly IdMapping[], pid: number, which: number): number | null {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, "latin1");
  } catch {
    // The process is gone, or the row is a thread's, without a pid.
    return null;
  }
  const id = Number(/^Uid:\s+(.*)$/m.exec(status)?.[1]?.split("\t")[which]);
  const mapping = mappings.find(({ hostID, size }) => id >= hostID && id < hostID + size);
  return mapping ? mapping.containerID + id - mapping.hostID : null;
}

/** The host's names of user ids, from passwd(5). */
export function hostUsers(): Map<number, string> {
  const users = new Map<number, string>();
  const text = existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8") : "";
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    if (name && id && !users.has(Number(id))) users.set(Number(id), name);
  }
  return users;
}
