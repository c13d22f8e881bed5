import type { FlagTable } from "./flag.ts";

/** The flags of `stop` and `restart`. */
export const stopFlags = {
  signal: { type: "string", short: "s", help: "Signal to stop it with" },
  timeout: { type: "int", short: "t", aliases: ["time"], help: "Seconds to wait before it is killed" },
} as const satisfies FlagTable;
