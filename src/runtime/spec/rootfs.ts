import { relative } from "node:path";
import { invalid } from "../../lib/errors.ts";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  AT_REMOVEDIR,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  MNT_DETACH,
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_PRIVATE,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLONE,
} from "../linux.ts";
import type { Slot } from "../plan/ops.ts";
import type { RootfsSource } from "../types.ts";
import type { Context } from "./context.ts";

/** fsconfig(2) takes values of at most this many bytes, with their zero byte. */
const valueLimit = 256;
const ENOENT = 2;
const attachHere = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

function below(root: string, path: string): string {
  const inside = relative(root, path);
  if (inside === "" || inside.startsWith("..")) throw invalid(`${path} is not below the data root ${root}`);
  return inside;
}

/** Makes the private view of the data root that overlay takes its layers from. */
export function prepareDataRoot(context: Context, rootfs: RootfsSource): void {
  const { plan, userns, idPhase } = context;
  const { tree } = context;
  plan.group("root file system");
  plan.add(
    idPhase,
    "open_tree",
    [tree, null, rootfs.dataRoot, OPEN_TREE_CLONE],
    "a mount of the data root of its own",
  );
  plan.add(
    idPhase,
    "mount_setattr",
    [tree, "", AT_EMPTY_PATH, userns ? MOUNT_ATTR_IDMAP : 0, 0, MS_PRIVATE, userns],
    userns
      ? "ids on disk stay plain: the mount shows them as the container's; what is mounted on it stays here"
      : "what is mounted on it stays here",
  );
  plan.add(
    "child",
    "mount_setattr",
    [null, "/", AT_RECURSIVE, 0, 0, MS_PRIVATE, null],
    "nothing mounted here reaches the host",
  );
  plan.add(
    "child",
    "move_mount",
    [tree, "", null, context.stage, MOVE_MOUNT_F_EMPTY_PATH],
    "overlay needs its layers mounted in its own mount namespace",
  );
  plan.add("child", "fchdir", [tree], "layers are named relative to the data root");
  if (rootfs.ownDisk) attachDisk(context, rootfs);
}

/** A copy of the data root's mount alone leaves out what is mounted in it. */
function attachDisk({ plan, userns, idPhase }: Context, rootfs: RootfsSource): void {
  const disk = plan.slot("disk");
  plan.add(idPhase, "open_tree", [disk, null, rootfs.rw, OPEN_TREE_CLONE], "the container's own disk");
  plan.add(
    idPhase,
    "mount_setattr",
    [disk, "", AT_EMPTY_PATH, userns ? MOUNT_ATTR_IDMAP : 0, 0, MS_PRIVATE, userns],
    "as with the data root",
  );
  plan.add(
    "child",
    "move_mount",
    [disk, "", null, below(rootfs.dataRoot, rootfs.rw), MOVE_MOUNT_F_EMPTY_PATH],
    "where overlay looks for the writable layer",
  );
}

/** Mounts the layers and the writable directory as `context.root`. */
export function mountRootfs(context: Context, rootfs: RootfsSource): void {
  const { plan, root, features } = context;
  const lower = rootfs.lower.map((path) => below(rootfs.dataRoot, path));
  const rw = below(rootfs.dataRoot, rootfs.rw);
  if (rootfs.volatile) {
    // The mark of an earlier volatile mount, which refuses the next.
    const mark = `${rootfs.rw}/work/work/incompat/volatile`;
    plan.add("host", "unlinkat", [null, `${mark}/dirty`, 0], "an earlier start's mark", ENOENT);
    plan.add("host", "unlinkat", [null, mark, AT_REMOVEDIR], "an earlier start's mark", ENOENT);
  }
  const list = lower.join(":");
  plan.group("root file system");
  if (!features.overlayLayerList && Buffer.byteLength(list) >= valueLimit) {
    const options = [
      `lowerdir=${list}`,
      `upperdir=${rw}/upper`,
      `workdir=${rw}/work`,
      "userxattr",
      "index=off",
    ];
    if (rootfs.volatile) options.push("volatile");
    const target = `${rw}/upper`;
    plan.add(
      "child",
      "mount",
      ["overlay", target, "overlay", 0, options.join(",")],
      "the layers as one tree",
    );
    plan.add("child", "openat", [root, null, target, O_PATH | O_DIRECTORY, 0], "its root");
    return;
  }
  const fs = plan.slot("overlay");
  const set = (key: string, value: string, why: string) =>
    plan.add("child", "fsconfig", [fs, FSCONFIG_SET_STRING, key, value, 0], why);
  plan.add("child", "fsopen", [fs, "overlay", 0], "a new overlay");
  set("source", "overlay", "its name in mount tables");
  if (features.overlayLayerList)
    for (const layer of lower) set("lowerdir+", layer, "a read-only layer, from the top down");
  else set("lowerdir", list, "the read-only layers, topmost first");
  set("upperdir", `${rw}/upper`, "takes the container's writes");
  set("workdir", `${rw}/work`, "overlay's scratch directory");
  set("index", "off", "a restart need not wait until the last overlay is gone");
  const flag = (key: string, why: string) =>
    plan.add("child", "fsconfig", [fs, FSCONFIG_SET_FLAG, key, "", 0], why);
  flag("userxattr", "its marks in user.* attributes, which a user namespace may write");
  if (rootfs.volatile) flag("volatile", "thrown away at exit: no sync of the whole disk");
  plan.add("child", "fsconfig", [fs, FSCONFIG_CMD_CREATE, "", "", 0], "make it");
  plan.add("child", "fsmount", [root, fs, 0, 0], "the layers as one tree");
  plan.add("child", "move_mount", [root, "", context.tree, "", attachHere], "attach it");
}

/**
 * A directory below the data root where this mount namespace can hold a mount until it pivots: the
 * container's work directory, which nothing looks up any more.
 */
export function stagingPath(rootfs: RootfsSource): string {
  return `${below(rootfs.dataRoot, rootfs.rw)}/work`;
}

/** Makes the root read-only where the container's is to be so; what is mounted on it is not. */
export function protectRootfs({ plan, root, spec }: Context): void {
  plan.group("root file system");
  if (spec.root.readonly)
    plan.add(
      "child",
      "mount_setattr",
      [root, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0, null],
      "a read-only root",
    );
}

/** Makes an attached mount the root and drops everything of the host's in one unmount. */
export function enterRoot({ plan }: Context, root: Slot, why: string): void {
  plan.group("root file system");
  plan.add("child", "fchdir", [root], "");
  plan.add("child", "pivot_root", [".", "."], `${why}, the old tree lies on top of it`);
  plan.add("child", "umount2", [".", MNT_DETACH], "the old tree and all that is mounted there goes at once");
}

export { attachHere };
