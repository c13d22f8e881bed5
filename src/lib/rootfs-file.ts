import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, type Stats } from "node:fs";

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** Not among Node's constants; open(2). */
const O_PATH = 0o10000000;
const MAX_LINKS = 40;
/** EAGAIN: somebody holds a lease on it. */
const nothingThere = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EACCES", "ENAMETOOLONG", "EAGAIN"]);

/** Whether a layer's directory hides what lower layers have below it: overlayfs keeps that in an attribute. */
export type IsOpaque = (directory: string, stat: Stats) => boolean;

/**
 * Reads a small file of a root filesystem that may be hostile, without leaving it. `roots` are the
 * directories that make up the root, topmost first: the layers of a stopped container, or only
 * /proc/PID/root of a running one. Every component is opened by descriptor and no link is followed
 * by the kernel, so a program that swaps directories for links gains nothing.
 * Null when there is no such regular file or it is larger than `limit` bytes.
 */
export function readRootfsFile(
  roots: readonly string[],
  path: string,
  { limit = 1 << 20, isOpaque = () => false }: { limit?: number; isOpaque?: IsOpaque } = {},
): Buffer | null {
  let rest = split(path);
  let links = 0;
  const walked: string[] = [];
  while (rest.length > 0) {
    const name = rest.shift() as string;
    if (name === "..") {
      walked.pop();
      continue;
    }
    const found = find(roots, walked, name, isOpaque);
    if (!found) return null;
    try {
      if (found.stat.isSymbolicLink()) {
        if (++links > MAX_LINKS) return null;
        const target = readlinkSync(`/proc/self/fd/${found.parent}/${name}`);
        if (target.startsWith("/")) walked.length = 0;
        rest = [...split(target), ...rest];
      } else if (rest.length > 0) {
        if (!found.stat.isDirectory()) return null;
        walked.push(name);
      } else {
        return found.stat.isFile() ? readBounded(found.parent, name, limit) : null;
      }
    } finally {
      closeSync(found.parent);
    }
  }
  return null;
}

const split = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");

/** The topmost layer's entry: its directory's descriptor, which the caller closes, and what it is. */
function find(
  roots: readonly string[],
  directory: string[],
  name: string,
  isOpaque: IsOpaque,
): { parent: number; stat: Stats } | null {
  const above: [string, Stats][] = [];
  for (const root of roots) {
    const passed: [string, Stats][] = [];
    const parent = openDirectory(root, directory, passed);
    if (parent === null) {
      above.push(...passed);
      continue;
    }
    if (parent === "hidden") return null;
    const stat = statEntry(parent, name);
    if (stat === null) {
      closeSync(parent);
      above.push(...passed);
      continue;
    }
    if (isWhiteout(stat) || above.some(([path, at]) => isOpaque(path, at))) {
      closeSync(parent);
      return null;
    }
    return { parent, stat };
  }
  return null;
}

/**
 * "hidden" when this layer has something else than a directory there, so that lower layers do not show.
 * `passed` gets the directories on the way.
 */
function openDirectory(
  root: string,
  directory: string[],
  passed: [string, Stats][],
): number | "hidden" | null {
  let fd = openOrNull(root, O_PATH | O_DIRECTORY);
  let path = root;
  for (const name of directory) {
    if (fd === null) return null;
    const next = openOrNull(`/proc/self/fd/${fd}/${name}`, O_PATH | O_NOFOLLOW);
    closeSync(fd);
    path = `${path}/${name}`;
    if (next !== null) {
      const stat = orNull(() => fstatSync(next));
      if (!stat?.isDirectory()) {
        closeSync(next);
        return "hidden";
      }
      passed.push([path, stat]);
    }
    fd = next;
  }
  return fd;
}

function statEntry(parent: number, name: string): Stats | null {
  const fd = openOrNull(`/proc/self/fd/${parent}/${name}`, O_PATH | O_NOFOLLOW);
  if (fd === null) return null;
  try {
    // Refused by file systems that the container itself serves.
    return orNull(() => fstatSync(fd));
  } finally {
    closeSync(fd);
  }
}

const isWhiteout = (stat: Stats): boolean => stat.isCharacterDevice() && stat.rdev === 0;

function readBounded(parent: number, name: string, limit: number): Buffer | null {
  const fd = openOrNull(`/proc/self/fd/${parent}/${name}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (fd === null) return null;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > limit) return null;
    const buffer = Buffer.alloc(stat.size);
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}

const openOrNull = (path: string, flags: number): number | null => orNull(() => openSync(path, flags));

function orNull<T>(call: () => T): T | null {
  try {
    return call();
  } catch (error) {
    if (nothingThere.has((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}
