import { rmSync } from "node:fs";
import { join } from "node:path";
import type { BuildCache } from "@docker/node-sdk";
import type { Workshop } from "../engine/engine.ts";
import type { Images } from "../image/types.ts";
import { StepCache } from "./cache.ts";
import { CacheMounts } from "./cache-mounts.ts";
import type { Warning } from "./checks/rules.ts";
import { ContextDigests } from "./context/context-digests.ts";
import { receiveBuild } from "./context/origin.ts";
import { datedImage, sourceDate } from "./outputs/epoch.ts";
import { planOutputs, produce } from "./outputs/produce.ts";
import { checkBuild, prepareBuild, showingPlace } from "./prepare.ts";
import { CacheKeeper, type PruneOptions, type PruneResult } from "./prune.ts";
import { RunningBuild } from "./running-build.ts";
import type { BuildRequest, BuildResult, Builds, ContextOrigin, OriginBuildRequest } from "./types.ts";

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
    return showingPlace(request, () => this.#build(request));
  }

  async check(request: BuildRequest): Promise<readonly Warning[]> {
    return showingPlace(request, () => checkBuild(this.#workshop.images, request));
  }

  async #build(request: BuildRequest): Promise<BuildResult> {
    const { plan, checks } = prepareBuild(request);
    checks.settle();
    const epoch = sourceDate(request);
    const parts = {
      request,
      plan,
      checks,
      workshop: this.#workshop,
      registry: this.#registry,
      cache: this.#cache,
      cacheMounts: this.#cacheMounts,
    };
    const build = new RunningBuild(parts);
    const outputs = planOutputs(request, build.steps.length);
    const shown = outputs.flatMap(({ step }) => step ?? []);
    request.onEvent?.({ kind: "plan", steps: [...build.steps, ...shown] });
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
      await build.release();
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

  buildFrom(origin: ContextOrigin, request: OriginBuildRequest): Promise<BuildResult> {
    return this.#received(origin, request, (received) => this.build(received));
  }

  checkFrom(origin: ContextOrigin, request: OriginBuildRequest): Promise<readonly Warning[]> {
    return this.#received(origin, request, (received) => this.check(received));
  }

  async #received<T>(
    origin: ContextOrigin,
    request: OriginBuildRequest,
    work: (request: BuildRequest) => Promise<T>,
  ): Promise<T> {
    const received = await receiveBuild(this.#workshop, this.#digests, origin, request);
    try {
      return await work(received.request);
    } finally {
      await received.discard();
    }
  }
}
