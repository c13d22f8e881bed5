import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { BuildCache } from "@docker/node-sdk";
import type { Workshop } from "../engine/engine.ts";
import type { Images } from "../image/types.ts";
import { invalid } from "../lib/errors.ts";
import { StepCache } from "./cache.ts";
import { CacheMounts } from "./cache-mounts.ts";
import { receiveContext } from "./context/archive-context.ts";
import { ContextDigests } from "./context/context-digests.ts";
import { openLocalContext } from "./context/local-context.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import { datedImage, sourceDate } from "./outputs/epoch.ts";
import { planOutputs, produce } from "./outputs/produce.ts";
import { planBuild } from "./plan.ts";
import { CacheKeeper, type PruneOptions, type PruneResult } from "./prune.ts";
import { RunningBuild } from "./running-build.ts";
import type { ArchiveBuildRequest, BuildRequest, BuildResult, Builds, LocalDirectory } from "./types.ts";

/**
 * Makes images from Dockerfiles. It knows neither HTTP nor a particular API: contexts, secrets and agents
 * come through small interfaces, and events tell of the progress.
 */
export class Builder implements Builds {
  readonly #workshop: Workshop;
  readonly #registry: Pick<Images, "pull" | "push">;
  readonly #cache: StepCache;
  readonly #cacheMounts: CacheMounts;
  readonly #keeper: CacheKeeper;
  readonly #digests: ContextDigests;
  #tidied = Date.now();

  constructor(workshop: Workshop, registry: Pick<Images, "pull" | "push">) {
    this.#workshop = workshop;
    this.#registry = registry;
    this.#cacheMounts = new CacheMounts(workshop.state);
    this.#keeper = new CacheKeeper(workshop, this.#cacheMounts);
    // What was shown to a step when the last daemon died.
    rmSync(join(workshop.execRoot, "build"), { recursive: true, force: true });
    this.#digests = new ContextDigests(workshop.state);
    this.#cache = new StepCache(workshop.state, workshop.images);
  }

  /**
   * Builds the target stage and makes of it what the request asks for. Rejects with DockerfileError for what
   * is wrong with the text, RunError for a RUN that failed; nothing but the cache stays then.
   */
  async build(request: BuildRequest): Promise<BuildResult> {
    const dockerfile = parseDockerfile(request.dockerfile);
    const epoch = sourceDate(request);
    const parts = {
      request,
      plan: planBuild(dockerfile, request),
      workshop: this.#workshop,
      registry: this.#registry,
      cache: this.#cache,
      cacheMounts: this.#cacheMounts,
    };
    const build = new RunningBuild(parts);
    const outputs = planOutputs(request, build.steps.length);
    const shown = outputs.flatMap(({ step }) => step ?? []);
    request.onEvent?.({ kind: "plan", steps: [...build.steps, ...shown] });
    for (const warning of dockerfile.warnings) request.onEvent?.({ kind: "warning", warning });
    try {
      const built = await build.run();
      const image = epoch === undefined ? built : await datedImage(built, epoch, build);
      const production = {
        request,
        workshop: this.#workshop,
        registry: this.#registry,
        signal: request.signal,
      };
      const result = await produce(production, [image], outputs);
      const { imageId, digest, names } = result;
      const { usage } = request.context;
      if (usage) request.onEvent?.({ kind: "context", ...usage });
      request.onEvent?.({ kind: "image", id: imageId, ...(digest ? { digest } : {}), names });
      return result;
    } finally {
      build.release();
      await this.#workshop.images.collect();
      this.#tidy();
    }
  }

  /** At most once a minute, while nobody waits. */
  #tidy(): void {
    if (Date.now() - this.#tidied < 60_000) return;
    this.#tidied = Date.now();
    this.#keeper.tidy().catch((error: unknown) => {
      // A closed engine goes on at the next opening.
      if (this.#workshop.state.db.isOpen)
        this.#workshop.log.error("the build cache could not be tidied", { error });
    });
  }

  cache(): Promise<BuildCache[]> {
    return this.#keeper.list();
  }

  prune(options?: PruneOptions): Promise<PruneResult> {
    return this.#keeper.prune(options);
  }

  async buildDirectory(
    directory: LocalDirectory,
    request: Omit<BuildRequest, "context">,
  ): Promise<BuildResult> {
    const context = await openLocalContext(this.#workshop.files, this.#digests, directory);
    try {
      return await this.build({ ...request, context });
    } finally {
      // While nobody waits for it.
      setImmediate(() => this.#digests.save(`${directory.device}:${directory.inode}`));
    }
  }

  async buildArchive(tar: Readable, request: ArchiveBuildRequest): Promise<BuildResult> {
    const name = request.dockerfileName || "Dockerfile";
    const context = await receiveContext(this.#workshop.files, this.#workshop.images, tar, name);
    try {
      const dockerfile = context.read(name);
      if (!dockerfile) throw invalid(`Cannot locate specified Dockerfile: ${name}`);
      if (dockerfile.length === 0) throw invalid(`The Dockerfile (${name}) cannot be empty`);
      return await this.build({ ...request, dockerfile: dockerfile.toString("utf8"), context });
    } finally {
      await context.discard();
    }
  }
}
