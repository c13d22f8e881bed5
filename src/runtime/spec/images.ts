import { posix } from "node:path";
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_PRIVATE,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLONE,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "../linux.ts";
import type { Mount } from "../oci.ts";
import type { Slot } from "../plan/ops.ts";
import type { Context } from "./context.ts";
import { attachAt } from "./mounts.ts";

/** fsconfig(2) takes values of at most this many bytes, with their zero byte. */
const valueLimit = 256;

/**
 * An image's layers as one read-only tree, or a part of it. An overlay without a place for writes, so that
 * not even remounting it lets anybody change the image.
 */
export function layersMount(context: Context, mount: Mount, layers: readonly string[]): void {
  const { subpath = "" } = mount;
  const { plan } = context;
  const whole = union(context, layers);
  const part = subpath === "" ? whole : plan.slot(subpath);
  if (subpath !== "")
    plan.add(
      "child",
      "openat2",
      [part, whole, subpath, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS],
      "links in it cannot lead out",
    );
  const tree = plan.slot(`image at ${mount.destination}`);
  plan.add("child", "open_tree", [tree, part, "", OPEN_TREE_CLONE | AT_EMPTY_PATH], "that part alone");
  plan.add(
    "child",
    "mount_setattr",
    [tree, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, null],
    "read-only",
  );
  attachAt(context, tree, posix.normalize(mount.destination), mount.sourceType !== "file");
}

/** Mounts the layers where nothing is looked up any more; its root is the returned slot. */
function union({ plan, features, tree, staging }: Context, layers: readonly string[]): Slot {
  const root = plan.slot("image");
  const list = layers.join(":");
  // A visit to another mount namespace leads elsewhere.
  plan.add("child", "fchdir", [tree], "layers are named relative to the data root");
  if (!features.overlayLayerList && Buffer.byteLength(list) >= valueLimit) {
    const options = `lowerdir=${list},userxattr`;
    plan.add("child", "mount", ["overlay", staging, "overlay", 0, options], "the image's layers as one tree");
    plan.add("child", "openat", [root, null, staging, O_PATH | O_DIRECTORY, 0], "its root");
    return root;
  }
  const fs = plan.slot("image-overlay");
  const set = (key: string, value: string, why: string) =>
    plan.add("child", "fsconfig", [fs, FSCONFIG_SET_STRING, key, value, 0], why);
  plan.add("child", "fsopen", [fs, "overlay", 0], "an overlay that nothing is written to");
  set("source", "overlay", "its name in mount tables");
  if (features.overlayLayerList)
    for (const layer of layers) set("lowerdir+", layer, "a layer of the image, from the top down");
  else set("lowerdir", list, "the image's layers, topmost first");
  plan.add(
    "child",
    "fsconfig",
    [fs, FSCONFIG_SET_FLAG, "userxattr", "", 0],
    "as in the container's own root",
  );
  plan.add("child", "fsconfig", [fs, FSCONFIG_CMD_CREATE, "", "", 0], "make it");
  plan.add("child", "fsmount", [root, fs, 0, 0], "the layers as one tree");
  plan.add(
    "child",
    "move_mount",
    [root, "", tree, staging, MOVE_MOUNT_F_EMPTY_PATH],
    "attached for a moment, so that parts of it can be cloned",
  );
  return root;
}
