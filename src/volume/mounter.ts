import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { system } from "../lib/errors.ts";
import type { VolumeRecord } from "./types.ts";

const run = promisify(execFile);

/** Whether a volume is a file system of its own that has to be mounted before use. */
export const needsMount = (record: VolumeRecord): boolean => !!record.options.device;

/** Mounts what a volume's options say at its directory. Throws with mount(8)'s words. */
export async function mountVolume(record: VolumeRecord, directory: string): Promise<void> {
  if (isMounted(directory)) return;
  const { type, o, device = "" } = record.options;
  const args = [
    ...(type && type !== "none" ? ["-t", type] : []),
    ...(o ? ["-o", o] : []),
    "--",
    device,
    directory,
  ];
  try {
    await run("mount", args);
  } catch (error) {
    throw system(
      `error while mounting volume '${directory}': failed to mount local volume: ${reason(error)}`,
      error,
    );
  }
}

/** Unmounts everything at a volume's directory; nothing to do is no error. */
export async function unmountVolume(directory: string): Promise<void> {
  while (isMounted(directory)) {
    try {
      await run("umount", ["--", directory]);
    } catch (error) {
      throw system(`error while unmounting volume '${directory}': ${reason(error)}`, error);
    }
  }
}

/** Whether something is mounted exactly there, by /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export function isMounted(directory: string): boolean {
  return mountPoints().includes(directory);
}

function mountPoints(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replace(/\\([0-7]{3})/g, (_, code: string) =>
        String.fromCharCode(Number.parseInt(code, 8)),
      ),
    );
}

function reason(error: unknown): string {
  if (
    error instanceof Error &&
    "stderr" in error &&
    typeof error.stderr === "string" &&
    error.stderr !== ""
  ) {
    // What follows is advice for a person at a terminal.
    return error.stderr.trim().split("\n")[0] ?? "";
  }
  return error instanceof Error ? error.message : String(error);
}
