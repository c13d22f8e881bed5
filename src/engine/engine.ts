import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import type { ImageBuilding } from "../image/building.ts";
import { ImageStore, readRegistryConfig } from "../image/index.ts";
import type { Images, ImageUser } from "../image/types.ts";
import { FileWorker } from "../lib/file-worker.ts";
import { type Logger, silentLogger } from "../lib/log.ts";
import { nativeFile } from "../lib/own-file.ts";
import { parsePool } from "../network/pools.ts";
import { PortAllocator } from "../network/ports/allocator.ts";
import { NetworkStore } from "../network/store.ts";
import { removeIfUnused } from "../runtime/cgroup/remove.ts";
import { detectCgroups } from "../runtime/cgroup/support.ts";
import { requireFitHost } from "../runtime/host.ts";
import { LinuxRuntime } from "../runtime/runtime.ts";
import { openState, type State } from "../state/index.ts";
import { VolumeStore } from "../volume/store.ts";
import type { Volumes } from "../volume/types.ts";
import { Afterwards } from "./afterwards.ts";
import { Ahead } from "./ahead.ts";
import { CgroupVerbs } from "./cgroup-verbs.ts";
import type { Container } from "./container.ts";
import { ContainerVerbs } from "./containers.ts";
import type { EngineContext } from "./context.ts";
import { closeIdleDisks } from "./disks.ts";
import { EventBus } from "./events.ts";
import { ExecTable } from "./exec.ts";
import { ExplainVerbs } from "./explain/explain.ts";
import { IdRanges } from "./id-ranges.ts";
import { ContainerMachines } from "./isolation/machines.ts";
import { Templates } from "./isolation/templates.ts";
import { MachineVerbs } from "./machines/machines.ts";
import type { Machines } from "./machines/types.ts";
import { volumeUsers } from "./mounts/volume-use.ts";
import { networkElements } from "./network/attach.ts";
import { networkDefaults } from "./network/defaults.ts";
import { NetworkHost } from "./network/host.ts";
import { NameDirectory } from "./network/names.ts";
import { NetworkVerbs } from "./network/networks.ts";
import { checkDefaultNetwork, closeNetworks, configureDefaultNetwork } from "./network/reconcile.ts";
import { reconcile } from "./reconcile.ts";
import { OpaqueDirectories } from "./spec/opaque.ts";
import { StepRunner } from "./step.ts";
import { SystemVerbs } from "./system/system.ts";
import { ContainerTable } from "./table.ts";
import type { Cgroups, Containers, EngineOptions, Execs, Explains, Networks, System } from "./types.ts";

/** What a builder works with. */
export interface Workshop {
  readonly steps: StepRunner;
  readonly images: ImageBuilding;
  readonly files: FileWorker;
  readonly execRoot: string;
  readonly state: State;
  readonly log: Logger;
}

const DEFAULT_DATA_ROOT = "/var/lib/berth";
const DEFAULT_EXEC_ROOT = "/run/berth";
const DEFAULT_REGISTRIES = "/etc/berth/registries.json";

/**
 * A container engine over a data root, in the caller's own process.
 *
 * @example
 * const engine = await Engine.open({ dataRoot: "/var/lib/mine", execRoot: "/run/mine" });
 * const { Id } = await engine.containers.create({ Image: "hello" });
 * await engine.containers.start(Id);
 * const { done } = await engine.containers.wait(Id);
 * console.log((await done).StatusCode);
 * await engine.close();
 */
export class Engine {
  readonly containers: Containers;
  readonly execs: Execs;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly networks: Networks;
  readonly system: System;
  readonly explain: Explains;
  readonly cgroups: Cgroups;
  readonly machines: Machines;
  /** For builders: steps to run, layers and images to add, and where results are kept. */
  readonly workshop: Workshop;
  readonly #context: EngineContext;

  private constructor(context: EngineContext) {
    this.#context = context;
    this.containers = new ContainerVerbs(context);
    this.execs = context.execs;
    this.images = context.images;
    this.volumes = context.volumes;
    this.networks = new NetworkVerbs(context);
    this.system = new SystemVerbs(context);
    this.explain = new ExplainVerbs(context);
    this.cgroups = new CgroupVerbs(context);
    this.machines = new MachineVerbs(context);
    this.workshop = {
      steps: new StepRunner(context),
      images: context.images.building,
      files: context.files,
      execRoot: context.execRoot,
      state: context.state,
      log: context.log,
    };
  }

  /**
   * Opens a data root, takes up the containers that run there and removes what a crash left behind.
   * Throws CONFLICT when another process has the data root open, UNAVAILABLE when this machine is not
   * fit to run containers.
   */
  static async open(options: EngineOptions & { log?: Logger } = {}): Promise<Engine> {
    const dataRoot = resolve(options.dataRoot ?? DEFAULT_DATA_ROOT);
    const execRoot = resolve(options.execRoot ?? DEFAULT_EXEC_ROOT);
    const log = options.log ?? silentLogger;
    for (const remark of requireFitHost()) log.info(remark);
    const pools = (options.addressPools ?? []).map(parsePool);
    // Nothing is made for a daemon that cannot be.
    const { defaultBridge = {}, networks: defaults = networkDefaults } = options;
    checkDefaultNetwork(defaultBridge);
    const state = openState(dataRoot);
    let runtime: LinuxRuntime | undefined;
    try {
      const events = new EventBus();
      const table = new ContainerTable(state.db);
      const images = new ImageStore({
        state,
        log,
        users: () => table.all().flatMap(imageUsers),
        onEvent: ({ action, id, attributes }) => events.publish("image", action, id, attributes),
        builtin: { hello: nativeFile("hello.tar") },
        registries: readRegistryConfig(options.registries ?? DEFAULT_REGISTRIES),
      });
      images.recover();
      const files = new FileWorker(join(execRoot, "files.sock"));
      const volumes = new VolumeStore(state, {
        users: () => volumeUsers(table.all()),
        sizeOf: (directory) => files.size(directory),
        onEvent: (action, name, attributes) => events.publish("volume", action, name, attributes),
      });
      const cgroups = detectCgroups();
      runtime = await LinuxRuntime.open({
        execRoot,
        cgroups,
        seccompCache: join(state.paths.root, "seccomp"),
      });
      const machines = new ContainerMachines({
        runtime,
        filters: runtime.filters,
        shims: runtime.shims,
        cache: join(state.paths.root, "boot"),
        kernel: options.guestKernel,
        log,
        save: (container) => table.save(container),
        booted: (size) => templates.booted(size),
      });
      const networks = new NetworkStore(state.db, {
        tag: rootTag(dataRoot).slice(0, 4),
        ...(pools.length > 0 ? { pools } : {}),
      });
      const names = new NameDirectory({ store: networks, table, log, servers: defaults.dns.servers });
      const networkHost = new NetworkHost({
        store: networks,
        runtime,
        execRoot,
        log,
        names,
        forwarding: defaults.forwarding,
        elements: () =>
          table
            .all()
            .flatMap(({ record }) => networkElements({ networks, networkHost }, record.state.network)),
        groups: cgroups.layout.unified?.mountpoint,
      });
      const context: EngineContext = {
        state,
        execRoot,
        cgroupParent: cgroupParent(dataRoot),
        table,
        events,
        // It needs the context that it is part of, but not before someone executes something.
        get execs() {
          return execs;
        },
        get ahead() {
          return ahead;
        },
        get templates() {
          return templates;
        },
        images,
        volumes,
        files,
        opaque: new OpaqueDirectories(files),
        networks,
        networkHost,
        names,
        networkDefaults: defaults,
        ports: new PortAllocator(),
        runtime,
        machines,
        isolation: options.isolation ?? "default",
        filters: runtime.filters,
        guestKernel: options.guestKernel,
        cgroups,
        idRanges: new IdRanges(dataRoot),
        afterwards: new Afterwards(),
        log,
      };
      const execs = new ExecTable(context);
      const ahead = new Ahead(context);
      const templates = new Templates(context, { unasked: options.guestTemplates ?? true });
      await configureDefaultNetwork(context, defaultBridge);
      await reconcile(context);
      return new Engine(context);
    } catch (error) {
      await runtime?.close().catch((problem: unknown) => {
        log.error("could not undo a start that failed", { error: String(problem) });
      });
      state.close();
      throw error;
    }
  }

  /** Lets go of the data root. Containers run on; the next `open` finds them. */
  async close(): Promise<void> {
    for (const container of this.#context.table.all()) {
      container.health?.close();
      container.control?.close();
    }
    await this.#context.afterwards.close();
    await this.#context.ahead.close();
    await this.#context.templates.close();
    await closeNetworks(this.#context);
    this.#context.ports.close();
    // Its socket is in the exec root, which may go with the runtime.
    await this.#context.files.close();
    this.#context.machines.close();
    await closeIdleDisks(this.#context);
    await this.#context.runtime.close();
    this.#context.images.close();
    removeIfUnused(this.#context.cgroups, this.#context.cgroupParent);
    this.#context.state.close();
  }
}

/** The image that a container was made from, and those that are mounted in it. */
const imageUsers = ({ id, record, running }: Container): ImageUser[] => {
  const mounted = record.mounts.flatMap(({ imageId }) => imageId ?? []);
  return [...new Set([record.imageId, ...mounted])].map((imageId) => ({ containerId: id, imageId, running }));
};

/** Each data root has a parent cgroup of its own, so that what is found below it is known to be ours. */
function cgroupParent(dataRoot: string): string {
  const tag = rootTag(dataRoot);
  return tag === "" ? "/berth" : `/berth-${tag}`;
}

/** What sets one data root's things on the machine apart from another's; nothing for the default one. */
function rootTag(dataRoot: string): string {
  if (dataRoot === DEFAULT_DATA_ROOT) return "";
  return createHash("sha256").update(dataRoot).digest("hex").slice(0, 8);
}
