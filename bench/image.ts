import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Daemon } from "./peers/daemon.ts";

export const imageName = "bench/busybox";
/** The static busybox of Debian's package busybox-static. */
const busybox = "/bin/busybox";

/** Makes a root filesystem with busybox's `sh`, `true` and `sleep`; answers its directory. */
export function makeRootfs(parent: string): string {
  const root = join(parent, "rootfs");
  for (const directory of ["bin", "proc", "dev", "sys", "tmp", "etc"])
    mkdirSync(join(root, directory), { recursive: true });
  copyFileSync(busybox, join(root, "bin/busybox"));
  for (const name of ["sh", "true", "sleep"]) symlinkSync("busybox", join(root, "bin", name));
  return root;
}

/** Gives an engine the root filesystem as an image (docker import). */
export async function importImage(daemon: Daemon, rootfs: string): Promise<void> {
  const archive = execFileSync("tar", ["--create", "--directory", rootfs, "."], {
    maxBuffer: 64 * 1024 * 1024,
  });
  await daemon.api.call("POST", `/images/create?fromSrc=-&repo=${imageName}&tag=latest`, archive);
}
