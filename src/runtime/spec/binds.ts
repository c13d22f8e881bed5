import { statSync } from "node:fs";
import { join, posix } from "node:path";
import { invalid } from "../../lib/errors.ts";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  CLONE_NEWNS,
  MS_PRIVATE,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  OPEN_TREE_CLONE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../linux.ts";
import type { Mount } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import type { Context } from "./context.ts";
import { attachAt } from "./mounts.ts";
import type { MountOptions } from "./options.ts";

function isDirectory({ source = "", subpath = "", sourceType }: Mount): boolean {
  if (sourceType) return sourceType === "directory";
  const path = join(source, subpath);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${path}`);
  return found.isDirectory();
}

/** Containers that have all of the source may have put links in it, which must not lead out. */
function openPart({ plan, idPhase }: Context, source: string, subpath: string): Slot {
  const whole = plan.slot(source);
  const part = plan.slot(subpath);
  plan.add(idPhase, "openat", [whole, null, source, O_PATH | O_DIRECTORY, 0], `${source} of the host`);
  plan.add(
    idPhase,
    "openat2",
    [part, whole, subpath, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS],
    "links in it cannot lead out",
  );
  return part;
}

/**
 * Clones a tree of another mount namespace, which only a process inside it may do: the child goes there and
 * back, since a shim that failed on the way would be lost there. The path has no links, which the other
 * container may have made.
 */
function cloneElsewhere(
  { plan }: Context,
  tree: Slot,
  namespace: string,
  source: string,
  recursive: number,
): void {
  const [own, other, at] = [plan.slot("own-mounts"), plan.slot("other-mounts"), plan.slot(`other ${source}`)];
  plan.add("parent", "openat", [own, plan.process, "ns/mnt", O_RDONLY, 0], "the way back");
  plan.add("host", "openat", [other, null, namespace, O_RDONLY, 0], "the mounts to share from");
  plan.add("child", "setns", [other, CLONE_NEWNS], "only inside it its mounts can be cloned");
  plan.add(
    "child",
    "openat2",
    [at, null, source, O_PATH, 0, RESOLVE_NO_SYMLINKS],
    `${source} of the other container`,
  );
  plan.add(
    "child",
    "open_tree",
    [tree, at, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | recursive],
    "shared, not copied",
  );
  plan.add("child", "setns", [own, CLONE_NEWNS], "back");
}

/**
 * A bind mount. The source is opened on the host, with the host's rights, and shown through the
 * container's id mapping, so that its files have the same owners inside and out.
 */
export function bindMount(context: Context, mount: Mount, options: MountOptions): void {
  const { plan, userns, idPhase } = context;
  const phase = mount.sourceNamespace ? "child" : idPhase;
  const source = join(mount.source ?? "", mount.subpath ?? "");
  const tree = plan.slot(source);
  const recursive = options.bind === "rbind" ? AT_RECURSIVE : 0;
  if (mount.sourceNamespace) {
    cloneElsewhere(context, tree, mount.sourceNamespace, source, recursive);
  } else if (mount.subpath) {
    const part = openPart(context, mount.source ?? "", mount.subpath);
    plan.add(idPhase, "bind_tree", [tree, part, "", recursive | AT_EMPTY_PATH, userns], "that part alone");
  } else {
    plan.add(idPhase, "bind_tree", [tree, null, source, recursive, userns], `${source} of the host`);
  }
  // Private unless asked otherwise: a copy of a shared mount would carry mounts made on it back to the host.
  const propagation = options.propagation || MS_PRIVATE;
  const everywhere = options.propagation ? options.propagationRecursive : true;
  plan.add(
    phase,
    "mount_setattr",
    [tree, "", AT_EMPTY_PATH | (everywhere ? AT_RECURSIVE : 0), 0, 0, propagation, null],
    options.propagation
      ? "whether later mounts on the host reach it"
      : "later mounts on either side stay there",
  );
  if (options.set || options.clear)
    plan.add(
      phase,
      "mount_setattr",
      [tree, "", AT_EMPTY_PATH | (options.recursive ? AT_RECURSIVE : 0), options.set, options.clear, 0, null],
      mount.options?.join(",") ?? "",
    );
  attachAt(context, tree, posix.normalize(mount.destination), isDirectory(mount));
}
