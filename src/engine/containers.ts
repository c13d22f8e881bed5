import type { Readable } from "node:stream";
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspectResponse,
  ContainerPruneResponse,
  ContainerStatsResponse,
  ContainerSummary,
  ContainerTopResponse,
  ContainerUpdateRequest,
  ContainerUpdateResponse,
  ContainerWaitResponse,
  FilesystemChange,
} from "@docker/node-sdk";
import { BerthError, conflict, invalid } from "../lib/errors.ts";
import { signalNumber } from "../lib/signals.ts";
import { attachContainer } from "./attach.ts";
import { commitContainer } from "./commit.ts";
import type { Container, Outcome } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { createContainer } from "./create.ts";
import { exportContainer, getArchive, putArchive, statPath } from "./files/archive.ts";
import { changes } from "./files/changes.ts";
import { inspectContainer } from "./inspect.ts";
import { startContainer } from "./lifecycle.ts";
import { ImageTitles, selectContainers, summarize } from "./list.ts";
import { readLogs } from "./logs/logs.ts";
import { checkName } from "./names.ts";
import { rewriteNeighbourFiles } from "./network/files.ts";
import { removeLink } from "./network/links.ts";
import { pauseContainer, unpauseContainer } from "./pause.ts";
import { remove } from "./remove.ts";
import { containerSizes } from "./sizes.ts";
import { containerStats } from "./stats/stats.ts";
import { killContainer, restartContainer, stopContainer } from "./stop.ts";
import { pruneContainers } from "./system/prune.ts";
import { top } from "./top/top.ts";
import type {
  Attachment,
  AttachOptions,
  CommitOptions,
  Containers,
  Filters,
  ListOptions,
  LogLine,
  LogsOptions,
  PathStat,
  PutArchiveOptions,
  Size,
  StopOptions,
  WaitCondition,
} from "./types.ts";
import { updateContainer } from "./update.ts";

/** The verbs of containers; each one's work is in the file of its name. */
export class ContainerVerbs implements Containers {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  create(
    request: ContainerCreateRequest,
    options?: { name?: string; platform?: string },
  ): Promise<ContainerCreateResponse> {
    return createContainer(this.#context, request, options);
  }

  async list(options: ListOptions = {}): Promise<ContainerSummary[]> {
    const selected = await selectContainers(this.#context, options);
    const images = new ImageTitles(this.#context);
    return Promise.all(
      selected.map(async (container) => ({
        ...summarize(this.#context, container),
        Image: await images.of(container),
        ...(options.size ? await containerSizes(this.#context, container) : {}),
      })),
    );
  }

  async inspect(ref: string, options: { size?: boolean } = {}): Promise<ContainerInspectResponse> {
    const container = this.#get(ref);
    const sizes = options.size ? await containerSizes(this.#context, container) : null;
    return inspectContainer(this.#context, container, sizes);
  }

  async start(ref: string): Promise<void> {
    await startContainer(this.#context, this.#get(ref));
  }

  async stop(ref: string, options?: StopOptions): Promise<void> {
    await stopContainer(this.#context, this.#get(ref), options);
  }

  async restart(ref: string, options?: StopOptions): Promise<void> {
    await restartContainer(this.#context, this.#get(ref), options);
  }

  async kill(ref: string, signal?: string): Promise<void> {
    await reworded(`cannot kill container: ${ref}`, () => {
      const number = signalNumber(signal || "KILL");
      return killContainer(this.#context, this.#get(ref), number);
    });
  }

  async pause(ref: string): Promise<void> {
    await pauseContainer(this.#context, this.#get(ref));
  }

  async unpause(ref: string): Promise<void> {
    await unpauseContainer(this.#context, this.#get(ref));
  }

  async rename(ref: string, name: string): Promise<void> {
    const container = await this.#untouched(ref);
    if (name === "") throw invalid("Neither old nor new names may be empty");
    const bare = await reworded(ALLOCATING, () => checkName(name.startsWith("/") ? name : `/${name}`));
    const oldName = container.record.name;
    if (bare === oldName) {
      throw invalid("Renaming a container with the same name as its current name");
    }
    await reworded(ALLOCATING, () => this.#context.table.rename(container, bare));
    this.#context.names.changed();
    rewriteNeighbourFiles(this.#context, container);
    containerEvent(this.#context, container, "rename", { oldName: `/${oldName}` });
  }

  async update(ref: string, request: ContainerUpdateRequest): Promise<ContainerUpdateResponse> {
    return updateContainer(this.#context, await this.#untouched(ref), request);
  }

  async wait(
    ref: string,
    condition: WaitCondition = "not-running",
    signal?: AbortSignal,
  ): Promise<{ done: Promise<ContainerWaitResponse> }> {
    const container = this.#get(ref);
    const idle = !container.running && container.status !== "restarting";
    if (condition === "not-running" && idle)
      return { done: Promise.resolve(waitResponse(container.record.state)) };
    return { done: container.wait(condition, signal).then(waitResponse) };
  }

  async remove(
    ref: string,
    options: { force?: boolean; volumes?: boolean; link?: boolean } = {},
  ): Promise<void> {
    if (options.link && removeLink(this.#context, ref)) return;
    await remove(this.#context, this.#get(ref), options);
  }

  prune(filters: Filters = {}): Promise<ContainerPruneResponse> {
    return pruneContainers(this.#context, filters);
  }

  async logs(
    ref: string,
    options: LogsOptions,
    signal?: AbortSignal,
  ): Promise<{ tty: boolean; lines: AsyncIterable<LogLine> }> {
    const container = this.#get(ref);
    const lines = readLogs(this.#context, container, options, signal);
    return { tty: container.record.config.Tty ?? false, lines };
  }

  async attach(ref: string, options: AttachOptions): Promise<Attachment> {
    return attachContainer(this.#context, this.#get(ref), options);
  }

  async resize(ref: string, size: Size): Promise<void> {
    const { shim, id, record } = this.#get(ref);
    if (!shim) throw conflict(`Container ${id} is not running`);
    // Without a terminal there is nothing to resize, and no fault in dockerd's eyes.
    if (record.config.Tty) await shim.resize(size);
    containerEvent(this.#context, this.#get(ref), "resize", {
      height: String(size.height),
      width: String(size.width),
    });
  }

  async top(ref: string, psArgs?: string): Promise<ContainerTopResponse> {
    return top(this.#context, this.#get(ref), psArgs);
  }

  async stats(
    ref: string,
    options: { stream?: boolean; oneShot?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<AsyncIterable<ContainerStatsResponse>> {
    return containerStats(this.#context, this.#get(ref), options, signal);
  }

  async changes(ref: string): Promise<FilesystemChange[]> {
    return changes(this.#context, await this.#untouched(ref));
  }

  async commit(ref: string, options: CommitOptions = {}): Promise<{ Id: string }> {
    return commitContainer(this.#context, await this.#untouched(ref), options);
  }

  async export(ref: string): Promise<Readable> {
    return exportContainer(this.#context, await this.#untouched(ref));
  }

  async statPath(ref: string, path: string): Promise<PathStat> {
    return statPath(this.#context, await this.#untouched(ref), path);
  }

  async getArchive(ref: string, path: string): Promise<{ stat: PathStat; tar: Readable }> {
    return getArchive(this.#context, await this.#untouched(ref), path);
  }

  async putArchive(ref: string, path: string, tar: Readable, options?: PutArchiveOptions): Promise<void> {
    await putArchive(this.#context, await this.#untouched(ref), path, tar, options);
  }

  /** A container whose start nothing was done for ahead: for what changes it or looks at its files. */
  async #untouched(ref: string): Promise<Container> {
    const container = this.#get(ref);
    await this.#context.ahead.giveUp(container.id);
    return container;
  }

  #get(ref: string): Container {
    return this.#context.table.get(ref);
  }
}

const ALLOCATING = "Error when allocating new name";

/** Puts `prefix` before the message of what goes wrong. */
async function reworded<T>(prefix: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    throw new BerthError(error.code, `${prefix}: ${error.message}`, { cause: error });
  }
}

function waitResponse({ exitCode, error }: Outcome): ContainerWaitResponse {
  return { StatusCode: exitCode, ...(error === "" ? {} : { Error: { Message: error } }) };
}
