import { readFileSync, readlinkSync } from "node:fs";

/** The fields of /proc/PID/status, by name, unparsed (proc_pid_status(5)). */
export function readStatus(pid: number | "self"): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of readFileSync(`/proc/${pid}/status`, "latin1").split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return fields;
}

/** The inode that identifies a process's namespace; `file` as in /proc/PID/ns. Null where the kernel has no such kind. */
export function namespaceId(pid: number | "self", file: string): string | null {
  try {
    return /\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${file}`))?.[1] ?? null;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** One line of a uid_map or gid_map: `size` ids from `inside` on are those from `outside` on. */
export interface IdMapLine {
  inside: number;
  outside: number;
  size: number;
}

/** /proc/PID/uid_map or gid_map (user_namespaces(7)). */
export function readIdMap(pid: number, kind: "uid" | "gid"): IdMapLine[] {
  return readFileSync(`/proc/${pid}/${kind}_map`, "latin1")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [inside = 0, outside = 0, size = 0] = line.trim().split(/\s+/).map(Number);
      return { inside, outside, size };
    });
}

export interface MountLine {
  target: string;
  type: string;
  source: string;
  /** Of the file system that is mounted here: a directory of it, when this is a bind mount. */
  root: string;
  /** The mount's own and its file system's, each once. */
  options: string[];
  /** shared:N, master:N and the like; empty for a private mount. */
  propagation: string[];
}

/** The mounts a process sees, in the order of its mount table (proc_pid_mountinfo(5)). */
export function parseMountinfo(text: string): MountLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const fields = line.split(" ");
      const dash = fields.indexOf("-", 6);
      const [type = "", source = "", superOptions = ""] = fields.slice(dash + 1);
      // Whether it can be written is the mount's to say, unless its file system cannot at all.
      const own = (fields[5] ?? "").split(",");
      const common = superOptions.split(",").filter((option) => option !== "rw" && option !== "");
      const options = [...own.filter((option) => option !== "rw" || !common.includes("ro")), ...common];
      return {
        target: unescapeOctal(fields[4] ?? ""),
        type,
        source: unescapeOctal(source),
        root: unescapeOctal(fields[3] ?? ""),
        options: [...new Set(options)].map(unescapeOctal),
        propagation: fields.slice(6, dash),
      };
    });
}

/** Blanks and backslashes come as octal numbers. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
