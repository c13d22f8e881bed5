import { system } from "../../lib/errors.ts";
import { mountOf } from "../../lib/mounts.ts";

/** Throws dockerd's words when what is mounted at a source cannot spread as a bind wants it. */
export function checkPropagation(source: string, propagation: string): void {
  const wantsShared = propagation === "shared" || propagation === "rshared";
  const wantsSlave = propagation === "slave" || propagation === "rslave";
  if (!wantsShared && !wantsSlave) return;
  const mount = mountOf(source);
  const has = (tag: string): boolean => mount?.propagation.some((word) => word.startsWith(tag)) ?? false;
  if (!mount || has("shared:") || (wantsSlave && has("master:"))) return;
  const kind = wantsShared ? "a shared mount" : "a shared or slave mount";
  throw system(`path ${source} is mounted on ${mount.target} but it is not ${kind}`);
}
