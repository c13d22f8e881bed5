import type { Containers, Execs, System } from "../engine/types.ts";

/** What the API needs of an engine; the engine's fields of the same names. */
export interface Services {
  containers: Containers;
  execs: Execs;
  system: System;
}
