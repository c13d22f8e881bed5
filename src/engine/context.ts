import type { ImageStore } from "../image/index.ts";
import type { Logger } from "../lib/log.ts";
import type { CgroupHost } from "../runtime/cgroup/support.ts";
import type { Runtime } from "../runtime/types.ts";
import type { State } from "../state/index.ts";
import type { VolumeStore } from "../volume/store.ts";
import type { EventBus } from "./events.ts";
import type { ExecTable } from "./exec.ts";
import type { IdRanges } from "./id-ranges.ts";
import type { ContainerTable } from "./table.ts";

/** What the engine's parts share. */
export interface EngineContext {
  readonly state: State;
  readonly execRoot: string;
  /** Where containers' cgroups are made unless --cgroup-parent says otherwise; this data root's alone. */
  readonly cgroupParent: string;
  readonly table: ContainerTable;
  readonly events: EventBus;
  readonly execs: ExecTable;
  readonly images: ImageStore;
  readonly volumes: VolumeStore;
  readonly runtime: Runtime;
  readonly cgroups: CgroupHost;
  readonly idRanges: IdRanges;
  readonly log: Logger;
}
