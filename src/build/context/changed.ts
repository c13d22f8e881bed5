import { BerthError } from "../../lib/errors.ts";
import { FileWorkError } from "../../lib/file-worker.ts";

/** A file of a directory that is used where it is was changed while the build read it. */
export class ContextChangedError extends BerthError {
  constructor(path: string, cause?: unknown) {
    super("CONFLICT", `${path} was changed while the build read it: build again`, { cause });
  }
}

/** What berth-files says when something is not as it was, or not there any more. */
export const isChange = (error: unknown): error is FileWorkError =>
  error instanceof FileWorkError &&
  (/^changed (since the build began|while it was read)/.test(error.message) || error.code === "ENOENT");
