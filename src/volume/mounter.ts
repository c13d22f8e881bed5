import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { system } from "../lib/errors.ts";
import { isMounted } from "../lib/mounts.ts";
import type { VolumeRecord } from "./types.ts";

const run = promisify(execFile);

/** What dockerd says of them in hexadecimal (mount(2)). */
const BIND_FLAGS: Record<string, string> = { bind: "0x1000", rbind: "0x5000" };

/** Whether a volume is a file system of its own that has to be mounted before use. */
export const needsMount = (record: VolumeRecord): boolean => !!record.options.device;

/** Mounts what a volume's options say at its directory. Throws with mount(8)'s words. */
export async function mountVolume(record: VolumeRecord, directory: string): Promise<void> {
  if (isMounted(directory)) return;
  const { type, o, device = "" } = record.options;
  const [bind] = o?.split(",").filter((option) => option in BIND_FLAGS) ?? [];
  if (bind && !existsSync(device))
    throw system(
      `error while mounting volume '${directory}': failed to mount local volume: mount ${device}:${directory}, ` +
        `flags: ${BIND_FLAGS[bind]}: no such file or directory`,
    );
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
