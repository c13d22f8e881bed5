import { existsSync, renameSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { EngineContext } from "./context.ts";

/**
 * Removes a container's directory. The usual one, without files of its own, goes at once; a full one is
 * only moved where the next start removes it anyway, and emptied while others are served.
 */
export function discardTree(context: EngineContext, directory: string): void {
  if (removeBare(directory)) return;
  if (!existsSync(directory)) return;
  const doomed = moveAway(directory, join(context.state.paths.temporary, `removed-${basename(directory)}`));
  rm(doomed, { recursive: true, force: true }).catch((error: unknown) => {
    context.log.warn("could not remove a container's files; the next start tries again", {
      directory: doomed,
      error: String(error),
    });
  });
}

/** Where it is then: on a full disk there is no room for another name. */
function moveAway(directory: string, to: string): string {
  try {
    renameSync(directory, to);
    return to;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    return directory;
  }
}

/** False as soon as something is there that a container which wrote nothing does not have. */
function removeBare(directory: string): boolean {
  const rw = join(directory, "rw");
  try {
    rmdirSync(join(rw, "upper"));
    rmSync(join(rw, "work"), { recursive: true, force: true });
    rmdirSync(rw);
    try {
      unlinkSync(join(directory, `${basename(directory)}-json.log`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    rmdirSync(directory);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTEMPTY" || code === "ENOENT" || code === "EBUSY") return false;
    throw error;
  }
}
