import { rm } from "node:fs/promises";
import { tarWork } from "./tar-work.ts";

/** What rm of Node cannot do: paths longer than PATH_MAX, more levels than descriptors. */
const tooDeep = new Set(["ENAMETOOLONG", "EMFILE"]);

/**
 * Removes a file or a directory and all below it, of any depth. What is not there is removed already.
 * Small trees go without another process.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && tooDeep.has(String(error.code)))) throw error;
    await removeLargeTree(path);
  }
}

/** As `removeTree`, for trees of many files: does not load this process. */
export async function removeLargeTree(path: string): Promise<void> {
  await tarWork(["remove", path]);
}
