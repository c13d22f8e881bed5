import type { ShimOptions } from "../launcher/wire.ts";
import type { Stdio } from "../types.ts";
import type { Machine } from "./launch.ts";

/** What every shim is told: where its directory is, and of its process's streams. */
export function streamOptions(
  { id, stdio }: { id: string; stdio: Stdio },
  { shims, stallSeconds }: Machine,
): Pick<ShimOptions, "id" | "dir" | "tty" | "stdin" | "stdinOnce" | "waitForAttach" | "stallSeconds"> {
  const { tty, stdin, stdinOnce, waitForAttach } = stdio;
  return { id, dir: `${shims}/${id}`, tty, stdin, stdinOnce, waitForAttach, stallSeconds };
}
