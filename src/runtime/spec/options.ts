import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from "../linux.ts";

/** Mount options in the terms of the system calls. */
export interface MountOptions {
  /** MOUNT_ATTR_* to set and to clear. */
  set: number;
  clear: number;
  /** Of those set, the ones that hold for mounts below as well. */
  recursive: boolean;
  bind: "none" | "bind" | "rbind";
  propagation: number;
  propagationRecursive: boolean;
  /** What goes to the file system itself. */
  data: string[];
}

const attributes: Record<string, { set?: number; clear?: number }> = {
  ro: { set: MOUNT_ATTR_RDONLY },
  rw: { clear: MOUNT_ATTR_RDONLY },
  nosuid: { set: MOUNT_ATTR_NOSUID },
  suid: { clear: MOUNT_ATTR_NOSUID },
  nodev: { set: MOUNT_ATTR_NODEV },
  dev: { clear: MOUNT_ATTR_NODEV },
  noexec: { set: MOUNT_ATTR_NOEXEC },
  exec: { clear: MOUNT_ATTR_NOEXEC },
  noatime: { set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME },
  strictatime: { set: MOUNT_ATTR_STRICTATIME, clear: MOUNT_ATTR__ATIME },
  relatime: { clear: MOUNT_ATTR__ATIME },
  nodiratime: { set: MOUNT_ATTR_NODIRATIME },
  diratime: { clear: MOUNT_ATTR_NODIRATIME },
  nosymfollow: { set: MOUNT_ATTR_NOSYMFOLLOW },
  symfollow: { clear: MOUNT_ATTR_NOSYMFOLLOW },
};

const propagations: Record<string, number> = {
  private: MS_PRIVATE,
  slave: MS_SLAVE,
  shared: MS_SHARED,
  unbindable: MS_UNBINDABLE,
};

/** Words of mount(8) that mean nothing to the kernel. */
const ignored = new Set(["defaults", "auto", "noauto", "user", "nouser", "_netdev", "loud", "silent"]);

/**
 * Sorts mount options. `ro` of an `rbind` holds for the mounts below too, as Docker has it, unless
 * `norro` is among the options; `rro` and its kin say it outright.
 */
export function parseOptions(options: readonly string[] = []): MountOptions {
  const parsed: MountOptions = {
    set: 0,
    clear: 0,
    recursive: false,
    bind: "none",
    propagation: 0,
    propagationRecursive: false,
    data: [],
  };
  let plainReadonly = false;
  for (const option of options) {
    const [whole, rest] = [option, option.slice(1)];
    const recursive = option.startsWith("r") && (rest in attributes || rest in propagations);
    const attribute = attributes[whole] ?? (recursive ? attributes[rest] : undefined);
    const propagation = propagations[whole] ?? (recursive ? propagations[rest] : undefined);
    if (attribute) {
      parsed.set = (parsed.set & ~(attribute.clear ?? 0)) | (attribute.set ?? 0);
      parsed.clear = (parsed.clear | (attribute.clear ?? 0)) & ~(attribute.set ?? 0);
      if (attributes[whole] === undefined) parsed.recursive = true;
      if (whole === "ro") plainReadonly = true;
    } else if (propagation !== undefined) {
      parsed.propagation = propagation;
      parsed.propagationRecursive = propagations[whole] === undefined;
    } else if (option === "bind" || option === "rbind") parsed.bind = option;
    else if (option !== "norro" && !ignored.has(option)) parsed.data.push(option);
  }
  if (plainReadonly && parsed.bind === "rbind" && !options.includes("norro")) parsed.recursive = true;
  // MOUNT_ATTR__ATIME is a field, not a bit: to set one value the whole field has to be cleared.
  if (parsed.set & MOUNT_ATTR__ATIME) parsed.clear |= MOUNT_ATTR__ATIME;
  return parsed;
}
