import type { Builds } from "../build/types.ts";
import type { Machines } from "../engine/machines/types.ts";
import type { Cgroups, Containers, Execs, Explains, Networks, System, Volumes } from "../engine/types.ts";
import type { Images } from "../image/index.ts";

/** What the API needs of an engine; the engine's fields of the same names. */
export interface Services {
  /** Whether clients are told that they may use what Docker calls experimental. */
  experimental: boolean;
  containers: Containers;
  execs: Execs;
  networks: Networks;
  system: System;
  explain: Explains;
  cgroups: Cgroups;
  machines: Machines;
  builds: Pick<Builds, "buildFrom" | "checkFrom" | "cache" | "prune">;
  volumes: Omit<Volumes, "diskUsage">;
  images: Pick<
    Images,
    | "load"
    | "import"
    | "list"
    | "inspect"
    | "extras"
    | "history"
    | "tag"
    | "remove"
    | "prune"
    | "pull"
    | "check"
    | "push"
    | "save"
    | "login"
    | "search"
    | "distribution"
    | "remoteManifest"
  >;
}
