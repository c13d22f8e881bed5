import { type FileHandle, open, stat } from "node:fs/promises";

/** One file of a log that rotates. */
export interface Segment {
  handle: FileHandle;
  inode: number;
  /** Bytes it had when it was opened. */
  size: number;
}

/**
 * Opens a log's files, oldest first: `path.N` … `path.1`, `path`. Newest are opened first, so that a
 * rotation meanwhile can show a file twice (noticed by its inode) but never hide one.
 */
export async function openSegments(path: string, maxFile: number): Promise<Segment[]> {
  const segments: Segment[] = [];
  try {
    for (let index = 0; index < Math.max(maxFile, 1); index++) {
      const segment = await openSegment(index === 0 ? path : `${path}.${index}`);
      if (!segment) continue;
      if (segments.some(({ inode }) => inode === segment.inode)) await segment.handle.close();
      else segments.unshift(segment);
    }
    return segments;
  } catch (error) {
    await closeSegments(segments);
    throw error;
  }
}

export async function closeSegments(segments: readonly Segment[]): Promise<void> {
  await Promise.all(segments.map(({ handle }) => handle.close()));
}

/** The file that follows `cursor`'s when the log has rotated since; null when there is none. The caller closes it. */
export async function newerSegment(
  path: string,
  maxFile: number,
  cursor: { segment: Segment } | null,
): Promise<Segment | null> {
  const inode = cursor?.segment.inode;
  if ((await inodeOf(path)) === inode) return null;
  const all = await openSegments(path, maxFile);
  // One that is not there any more was rotated away under a slow reader, who goes on with the oldest there is.
  const next = all[all.findIndex((segment) => segment.inode === inode) + 1] ?? null;
  await closeSegments(all.filter((segment) => segment !== next));
  return next;
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

async function openSegment(path: string): Promise<Segment | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const { ino, size } = await handle.stat();
  return { handle, inode: ino, size };
}
