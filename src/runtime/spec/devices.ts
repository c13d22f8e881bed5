import { posix } from "node:path";
import { deviceLinks } from "../defaults.ts";
import { AT_SYMLINK_NOFOLLOW, makedev, S_IFBLK, S_IFCHR, S_IFIFO, S_IFREG } from "../linux.ts";
import type { Device, Mount } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import { type Context, hostId } from "./context.ts";
import { newFilesystem } from "./mounts.ts";
import type { MountOptions } from "./options.ts";

const EEXIST = 17;
const types: Record<Device["type"], number> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };

/**
 * Builds /dev before the process exists, in the host's user namespace: device nodes made there work
 * inside a user namespace too, and the devices cgroup still limits them.
 */
export function makeDev(context: Context, mount: Mount, options: MountOptions): Slot {
  const { plan, spec, ids } = context;
  const owner = [hostId(ids?.uid, 0), hostId(ids?.gid, 0)] as const;
  plan.group("devices");
  const data = ids ? [...options.data, `uid=${owner[0]}`, `gid=${owner[1]}`] : options.data;
  const dev = newFilesystem(context, "host", "tmpfs", {
    source: mount.source,
    data,
    attributes: options.set,
    why: "/dev, built with the host's rights so that its nodes work",
  });
  const own = (name: string, uid: number, gid: number) => {
    if (uid !== 0 || gid !== 0)
      plan.add("host", "fchownat", [dev, name, uid, gid, AT_SYMLINK_NOFOLLOW], "the container's");
  };
  const made = new Set<string>();
  const makeParents = (name: string) => {
    const parent = posix.dirname(name);
    if (parent === "." || made.has(parent)) return;
    makeParents(parent);
    plan.add("host", "mkdirat", [dev, parent, 0o755], "", EEXIST);
    own(parent, ...owner);
    made.add(parent);
  };
  for (const device of spec.linux.devices ?? []) {
    const name = posix.relative("/dev", posix.normalize(device.path));
    if (name === "" || name.startsWith("..")) continue;
    makeParents(name);
    const mode = types[device.type] | (device.fileMode ?? 0o666);
    plan.add("host", "mknodat", [dev, name, mode, makedev(device.major, device.minor)], device.path);
    own(name, hostId(ids?.uid, device.uid ?? 0), hostId(ids?.gid, device.gid ?? 0));
    made.add(name);
  }
  for (const [path, target] of deviceLinks) {
    const name = posix.relative("/dev", path);
    if (made.has(name)) continue;
    plan.add("host", "symlinkat", [target, dev, name], "");
    own(name, ...owner);
  }
  for (const directory of ["pts", "shm", "mqueue"]) {
    if (made.has(directory) || !spec.mounts.some((mount) => mount.destination === `/dev/${directory}`))
      continue;
    plan.add("host", "mkdirat", [dev, directory, 0o755], "a mount point");
    own(directory, ...owner);
  }
  if (spec.process.terminal) {
    plan.add("host", "mknodat", [dev, "console", S_IFREG | 0o620, 0], "the terminal is bound here");
    own("console", ...owner);
  }
  return dev;
}
