import { statSync } from "node:fs";
import { posix } from "node:path";
import { invalid } from "../../lib/errors.ts";
import { AT_EMPTY_PATH, AT_RECURSIVE } from "../linux.ts";
import type { Mount } from "../oci.ts";
import type { Context } from "./context.ts";
import { attachAt } from "./mounts.ts";
import type { MountOptions } from "./options.ts";

function isDirectory({ source: path = "", sourceType }: Mount): boolean {
  if (sourceType) return sourceType === "directory";
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${path}`);
  return found.isDirectory();
}

/**
 * A bind mount. The source is opened on the host, with the host's rights, and shown through the
 * container's id mapping, so that its files have the same owners inside and out.
 */
export function bindMount(context: Context, mount: Mount, options: MountOptions): void {
  const { plan, userns, idPhase } = context;
  const source = mount.source ?? "";
  const tree = plan.slot(source);
  const recursive = options.bind === "rbind" ? AT_RECURSIVE : 0;
  plan.add(idPhase, "bind_tree", [tree, null, source, recursive, userns], `${source} of the host`);
  if (options.propagation)
    plan.add(
      idPhase,
      "mount_setattr",
      [
        tree,
        "",
        AT_EMPTY_PATH | (options.propagationRecursive ? AT_RECURSIVE : 0),
        0,
        0,
        options.propagation,
        null,
      ],
      "whether later mounts on the host reach it",
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
