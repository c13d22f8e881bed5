import type { ImageStore } from "../image/index.ts";
import type { FileWorker } from "../lib/file-worker.ts";
import type { Logger } from "../lib/log.ts";
import type { PortAllocator } from "../network/ports/allocator.ts";
import type { NetworkStore } from "../network/store.ts";
import type { CgroupHost } from "../runtime/cgroup/support.ts";
import type { SeccompCompiler } from "../runtime/seccomp/compile.ts";
import type { Runtime } from "../runtime/types.ts";
import type { State } from "../state/index.ts";
import type { VolumeStore } from "../volume/store.ts";
import type { Afterwards } from "./afterwards.ts";
import type { Ahead } from "./ahead.ts";
import type { EventBus } from "./events.ts";
import type { ExecTable } from "./exec.ts";
import type { IdRanges } from "./id-ranges.ts";
import type { ContainerMachines } from "./isolation/machines.ts";
import type { Templates } from "./isolation/templates.ts";
import type { NetworkDefaults } from "./network/defaults.ts";
import type { NetworkHost } from "./network/host.ts";
import type { NameDirectory } from "./network/names.ts";
import type { OpaqueDirectories } from "./spec/opaque.ts";
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
  readonly networks: NetworkStore;
  readonly networkHost: NetworkHost;
  readonly names: NameDirectory;
  readonly networkDefaults: NetworkDefaults;
  /** The host's ports that containers have. */
  readonly ports: PortAllocator;
  readonly files: FileWorker;
  readonly opaque: OpaqueDirectories;
  readonly runtime: Runtime;
  /** How containers are isolated that do not say. */
  readonly isolation: "default" | "hyperv";
  /** Of the containers that run in virtual machines. */
  readonly machines: ContainerMachines;
  /** From which those start at once. */
  readonly templates: Templates;
  readonly cgroups: CgroupHost;
  /** Compiles seccomp filters, for guests, too. */
  readonly filters: SeccompCompiler;
  /** The kernel that virtual machines boot, when the user named one. */
  readonly guestKernel: string | undefined;
  readonly idRanges: IdRanges;
  readonly ahead: Ahead;
  readonly afterwards: Afterwards;
  readonly log: Logger;
}
