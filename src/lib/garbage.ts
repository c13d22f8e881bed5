import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collector = (options: { type: "minor" } | { type: "major"; flavor: "last-resort" }) => void;
let collector: Collector | undefined;

/** Collects what was made lately and is not used any more: 1 ms, less the less of it is still used. */
export function collectYoung(): void {
  collector ??= findCollector();
  collector({ type: "minor" });
}

/** Collects all garbage, moves together what is left and gives the room back to the system: some 20 ms. */
export function collectAll(): void {
  collector ??= findCollector();
  collector({ type: "major", flavor: "last-resort" });
}

function findCollector(): Collector {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  return typeof gc === "function" ? (options) => gc(options) : () => undefined;
}
