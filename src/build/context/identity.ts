import type { IndexedFile } from "./file-index.ts";

/**
 * What decides a step that reads these files: names below `root`, kinds, contents, which are the same file by
 * several names, and whose they are when that counts; not their times.
 */
export function identityOf(tree: readonly IndexedFile[], root: string, owners: boolean): unknown[][] {
  const names = new Map<string, string>();
  return tree.map(({ path, kind, mode, uid, gid, size, digest, target, capability, device, inode }) => {
    const name = path.slice(root === "/" ? 0 : root.length);
    const first = inode === undefined ? undefined : names.get(inode);
    if (inode !== undefined && first === undefined) names.set(inode, name);
    return [
      name,
      kind,
      mode,
      size,
      digest ?? target ?? device,
      capability,
      ...(owners ? [uid, gid] : []),
      ...(first === undefined ? [] : [["link", first]]),
    ];
  });
}
