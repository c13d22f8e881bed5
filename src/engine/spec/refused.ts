import { type BerthError, system } from "../../lib/errors.ts";

/** A container that cannot be started as asked, in the words that dockerd passes on from its runtime. */
export const refusedSpec = (why: string): BerthError =>
  system(
    `failed to create task for container: failed to create shim task: OCI runtime create failed: ${why}: unknown`,
  );
