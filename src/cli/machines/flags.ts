import type { FlagTable } from "../flags/flag.ts";

/** The flags of `vm stop` and `vm restart`. */
export const machineStopFlags = {
  timeout: {
    type: "int",
    short: "t",
    help: "Seconds that the guest has to shut down before it is ended",
    shownDefault: "60",
  },
} as const satisfies FlagTable;
