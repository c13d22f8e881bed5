/** Bits of Go's os.FileMode by those of st_mode (inode(7)); permissions are the same in both. */
const types = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o020000, 2 ** 26 + 2 ** 21],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
]);

/** A file's st_mode as Go's os.FileMode, which Docker's API has. */
export function goFileMode(mode: number): number {
  return (
    (mode & 0o777) +
    (types.get(mode & 0o170000) ?? 0) +
    (mode & 0o4000 ? 2 ** 23 : 0) +
    (mode & 0o2000 ? 2 ** 22 : 0) +
    (mode & 0o1000 ? 2 ** 20 : 0)
  );
}
