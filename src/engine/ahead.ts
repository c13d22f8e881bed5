import { closeSync, openSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { ContainerConfig, HostConfig } from "@docker/node-sdk";
import { newId, shortId } from "../lib/ids.ts";
import { removeCgroup } from "../runtime/cgroup/remove.ts";
import type { ContainerLaunch, NetworkSetup } from "../runtime/types.ts";
import { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory, makeDirectories } from "./create.ts";
import { discardTree } from "./discard-tree.ts";
import { diskLimit } from "./disk.ts";
import type { IdRanges } from "./id-ranges.ts";
import { rootLayers } from "./init-layer.ts";
import { isIsolated } from "./isolation/isolation.ts";
import { buildLaunch } from "./launch.ts";
import { logPath } from "./logs/options.ts";
import { isMachine } from "./machines/record.ts";
import { networksToCome } from "./network/attach.ts";
import { networkFiles } from "./network/files.ts";
import { type ContainerRecord, initialState } from "./record.ts";

/** Nothing is begun before so long nobody created or started anything: who works goes first. */
const PAUSE_MS = 10;
/** What is not used by then is undone. */
const KEEP_MS = 5000;

/** What of a container decides whether another is like it. */
export interface Looks {
  config: Pick<ContainerConfig, "User" | "Tty" | "OpenStdin" | "StdinOnce">;
  hostConfig: HostConfig;
}

/** What is taken for a start that is begun. */
interface Place {
  id: string;
  cgroupPath: string;
  idRange: number;
}

/** A start that was begun. */
interface Beginning extends Place {
  looks: string;
  /** The launch that it is the beginning of, if the container is exactly like the one before. */
  launch: ContainerLaunch;
  wish: string;
  /** The process has gone on with what is the container's own. */
  advanced: boolean;
  expiry: NodeJS.Timeout;
}

/**
 * Begins the next start ahead. When a container was started, namespaces, control groups and file systems are
 * made for another one like it, whose id is drawn already. The next container that is created and looks the
 * same gets that id, and its start goes on from there. Images, networks and the host's files are not touched
 * before there is a container; what is not used within seconds is undone.
 */
export class Ahead {
  readonly #context: EngineContext;
  /** Nobody's yet. */
  #next: Beginning | null = null;
  /** What the container wished for that was started last. */
  #lastWish = "";
  /** Of containers that were created with their ids. */
  readonly #claimed = new Map<string, Beginning>();
  readonly #undoing = new Map<string, Promise<void>>();
  /** Resolves when nothing is just being begun. */
  #begun: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** The control group that was made for a container that there is not yet. */
  get group(): string | null {
    return this.#next?.cgroupPath ?? null;
  }

  /** The record of a new container, with the id of what was begun for one like it, or a fresh one. */
  recordFor(looks: Looks, recordOf: (id: string) => ContainerRecord): ContainerRecord {
    this.#timer?.refresh();
    const next = this.#next;
    if (next?.looks !== looksOf(looks)) return recordOf(newId());
    const record = recordOf(next.id);
    if (next.advanced && wishOf(record) !== next.wish) return recordOf(newId());
    this.#next = null;
    this.#claimed.set(next.id, next);
    return record;
  }

  /** Whether a container's directories were made with what was begun for it. */
  hasDirectories(id: string): boolean {
    return this.#claimed.has(id);
  }

  /**
   * A container was created: its client takes a while to ask for the start. What belongs to the container alone
   * is done meanwhile, in a mount namespace that nobody else sees.
   */
  async created(container: Container): Promise<void> {
    const beginning = this.#claimed.get(container.id);
    if (!beginning || (!beginning.advanced && wishOf(container.record) !== beginning.wish)) return;
    const { launch } = beginning;
    // An image may be another under the same id, when it was removed and came back.
    const sameLayers = (): boolean =>
      rootLayers(this.#context, container).join() === launch.rootfs.lower.join();
    if (beginning.advanced) {
      if (sameLayers()) container.spec = launch.spec;
      else await this.giveUp(container.id);
      return;
    }
    // What volumes and the host's directories hold is for the start to find.
    if (container.record.mounts.length > 0) return;
    // The client is answered first.
    await setImmediate();
    if (this.#claimed.get(container.id) !== beginning || container.status !== "created") return;
    if (!sameLayers()) return;
    container.spec = launch.spec;
    beginning.advanced = this.#context.runtime.advance(launch);
  }

  /** The launch for a start. What was begun for the container is the launch's from here on. */
  async launchFor(container: Container, network: NetworkSetup): Promise<ContainerLaunch> {
    const context = this.#context;
    this.#work();
    const beginning = this.#claimed.get(container.id);
    if (!beginning) return buildLaunch(context, container, network);
    clearTimeout(beginning.expiry);
    this.#claimed.delete(container.id);
    const { launch, idRange, advanced } = beginning;
    if (advanced && !network.linked) {
      container.record.state.idRange = idRange;
      launch.stdio.waitForAttach = container.pendingAttaches.size;
      return launch;
    }
    return buildLaunch(context, container, network, only(idRange));
  }

  /** A container was started: soon there may be another like it. */
  started(container: Container, launch: ContainerLaunch): void {
    this.#work();
    if (this.#closed || !isOrdinary(this.#context, container, launch)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#begun = this.#prepare(container).catch((error: unknown) => {
        this.#context.log.debug("could not begin a start ahead", { error: String(error) });
      });
    }, PAUSE_MS);
    this.#timer.unref();
  }

  /** Begins a start like that of a container. When two in a row were alike in all, the next is taken for a third. */
  async #prepare({ record, layers }: Container): Promise<void> {
    const wish = wishOf(anotherOf(record, ""));
    const again = wish === this.#lastWish && record.mounts.length === 0;
    this.#lastWish = wish;
    const next = this.#next;
    if (next?.looks !== looksOf(record)) return this.#begin(record, layers, again);
    if (next.wish !== wishOf(anotherOf(record, next.id))) {
      // What waits for any container of these looks is as good as another.
      if (next.advanced) await this.#begin(record, layers, again);
    } else if (again && !next.advanced) next.advanced = this.#context.runtime.advance(next.launch);
  }

  /** Undoes what was begun for a container, because it changes or is not going to start. */
  async giveUp(id: string): Promise<void> {
    const beginning = this.#claimed.get(id);
    this.#claimed.delete(id);
    if (beginning) this.#undo(beginning);
    await this.#undoing.get(id);
  }

  /** Resolves when nothing that was begun for a container is just being undone. */
  async settled(id: string): Promise<void> {
    await this.#undoing.get(id);
  }

  /** Undoes everything. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#work();
    await this.#begun;
    for (const beginning of [...this.#claimed.values(), ...(this.#next ? [this.#next] : [])])
      this.#undo(beginning);
    this.#claimed.clear();
    this.#next = null;
    await Promise.all(this.#undoing.values());
  }

  /** Something is done for somebody. */
  #work(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #begin(model: ContainerRecord, layers: string[] | null, whole: boolean): Promise<void> {
    const context = this.#context;
    if (this.#next) this.#undo(this.#next);
    this.#next = null;
    const id = newId();
    const record = anotherOf(model, id);
    const container = new Container(record);
    container.layers = layers;
    const place = { id, cgroupPath: record.cgroupPath, idRange: context.idRanges.take() };
    let held: ContainerLaunch | null = null;
    try {
      await makeDirectories(context, record);
      // Some file systems look long for a free inode.
      const log = logPath(record.hostConfig, containerDirectory(context, id), id);
      if (log !== "") closeSync(openSync(log, "a", 0o640));
      const network = networksToCome(context, container);
      const launch = await buildLaunch(context, container, network, only(place.idRange));
      if (await context.runtime.prepare(launch)) held = launch;
    } finally {
      if (held && !this.#closed && !this.#next) {
        const beginning: Beginning = {
          ...place,
          looks: looksOf(record),
          launch: held,
          wish: wishOf(record),
          advanced: whole && context.runtime.advance(held),
          expiry: setTimeout(() => this.#expire(beginning), KEEP_MS).unref(),
        };
        this.#next = beginning;
      } else this.#undo(place);
    }
  }

  #expire(beginning: Beginning): void {
    if (this.#next === beginning) this.#next = null;
    else if (!this.#claimed.delete(beginning.id)) return;
    this.#undo(beginning);
  }

  #undo({ id, idRange, cgroupPath }: Place): void {
    const context = this.#context;
    const undo = async (): Promise<void> => {
      await context.runtime.giveUp(id);
      await removeCgroup(context.cgroups, cgroupPath);
      context.idRanges.release(idRange);
      if (context.table.hasId(id)) return;
      discardTree(context, containerDirectory(context, id));
      rmSync(dirname(networkFiles(context, id).hosts), { recursive: true, force: true });
    };
    const undone = undo()
      .catch((error: unknown) => {
        context.log.warn("could not undo what was begun ahead", { error: String(error) });
      })
      .finally(() => this.#undoing.delete(id));
    this.#undoing.set(id, undone);
  }
}

/** Gives the block of ids that was taken already. */
const only = (idRange: number): Pick<IdRanges, "take" | "claim"> => ({
  take: () => idRange,
  claim: () => undefined,
});

/** One with namespaces of its own at the usual place. */
function isOrdinary(context: EngineContext, container: Container, { spec }: ContainerLaunch): boolean {
  const { record } = container;
  const { namespaces } = spec.linux;
  return (
    !record.step &&
    !isIsolated(record.hostConfig) &&
    !isMachine(container) &&
    diskLimit(record.hostConfig) === null &&
    dirname(record.cgroupPath) === context.cgroupParent &&
    namespaces.some(({ type }) => type === "user") &&
    namespaces.every(({ path }) => path === undefined)
  );
}

/** The record of a container that is made by the same request. */
function anotherOf(model: ContainerRecord, id: string): ContainerRecord {
  const { config } = model;
  const Hostname = config.Hostname === shortId(model.id) ? shortId(id) : config.Hostname;
  return {
    ...model,
    id,
    config: { ...config, Hostname },
    cgroupPath: join(dirname(model.cgroupPath), id),
    state: initialState(),
  };
}

/** What the beginning of a start depends on, as far as a request tells. The launches are compared as well. */
function looksOf({ config, hostConfig }: Looks): string {
  const { Binds, Mounts, PortBindings, AutoRemove, RestartPolicy, ContainerIDFile, NetworkMode, ...host } =
    hostConfig;
  const network = NetworkMode === "host" || NetworkMode?.startsWith("container:") ? NetworkMode : "own";
  const { User = "", Tty = false, OpenStdin = false, StdinOnce = false } = config;
  return JSON.stringify([network, host, User, Tty, OpenStdin, StdinOnce]);
}

/** All that the launch of a container depends on, as far as its record tells. */
function wishOf({ config, hostConfig, networking, imageId, path, args, name }: ContainerRecord): string {
  const { ContainerIDFile, ...host } = hostConfig;
  // Only a log's tag tells the name, and the options that may hold one are rare.
  const named = hostConfig.LogConfig?.Config?.tag ? name : "";
  return JSON.stringify([config, host, networking, imageId, path, args, named]);
}
