import { statSync } from "node:fs";
import { join, posix } from "node:path";
import { invalid } from "../../lib/errors.ts";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MS_PRIVATE,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
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
 * A bind mount. The source is opened on the host, with the host's rights, and shown through the
 * container's id mapping, so that its files have the same owners inside and out.
 */
export function bindMount(context: Context, mount: Mount, options: MountOptions): void {
  const { plan, userns, idPhase } = context;
  const source = join(mount.source ?? "", mount.subpath ?? "");
  const tree = plan.slot(source);
  const recursive = options.bind === "rbind" ? AT_RECURSIVE : 0;
  if (mount.subpath) {
    const part = openPart(context, mount.source ?? "", mount.subpath);
    plan.add(idPhase, "bind_tree", [tree, part, "", recursive | AT_EMPTY_PATH, userns], "that part alone");
  } else {
    plan.add(idPhase, "bind_tree", [tree, null, source, recursive, userns], `${source} of the host`);
  }
  // Private unless asked otherwise: a copy of a shared mount would carry mounts made on it back to the host.
  const propagation = options.propagation || MS_PRIVATE;
  const everywhere = options.propagation ? options.propagationRecursive : true;
  plan.add(
    idPhase,
    "mount_setattr",
    [tree, "", AT_EMPTY_PATH | (everywhere ? AT_RECURSIVE : 0), 0, 0, propagation, null],
    options.propagation
      ? "whether later mounts on the host reach it"
      : "later mounts on either side stay there",
  );
  if (options.set || options.clear)
    plan.add(
      idPhase,
      "mount_setattr",
      [tree, "", AT_EMPTY_PATH | (options.recursive ? AT_RECURSIVE : 0), options.set, options.clear, 0, null],
      mount.options?.join(",") ?? "",
    );
  attachAt(context, tree, posix.normalize(mount.destination), isDirectory(mount));
}
