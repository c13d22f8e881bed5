import { rmSync } from "node:fs";
import { join } from "node:path";
import type { BuildCache } from "@docker/node-sdk";
import type { Workshop } from "../engine/engine.ts";
import { formatPlatform, parsePlatform } from "../image/platform.ts";
import type { Images } from "../image/types.ts";
import { invalid } from "../lib/errors.ts";
import { isOn } from "./build-args.ts";
import { StepCache } from "./cache.ts";
import { CacheMounts } from "./cache-mounts.ts";
import { withCache } from "./cache-records.ts";
import { CacheSources } from "./cache-sources.ts";
import { cdiDirectories } from "./cdi.ts";
import type { Warning } from "./checks/rules.ts";
import { ContextDigests } from "./context/context-digests.ts";
import { receiveBuild } from "./context/origin.ts";
import { datedImage, sourceDate } from "./outputs/epoch.ts";
import { type Product, planOutputs, produce } from "./outputs/produce.ts";
import { provenanceOf } from "./outputs/provenance.ts";
import { squashedImage } from "./outputs/squash.ts";
import { checkBuild, prepareBuild, showingPlace } from "./prepare.ts";
import { CacheKeeper, type CacheLimits, type PruneOptions, type PruneResult } from "./prune.ts";
import { type BuiltImage, RunningBuild } from "./running-build.ts";
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
  readonly #cdiDirectories: readonly string[];
  #tidied = 0;

  readonly #timer: NodeJS.Timeout;

  constructor(
    workshop: Workshop,
    registry: Pick<Images, "pull" | "push">,
    limits?: CacheLimits,
    cdi = cdiDirectories,
  ) {
    this.#cdiDirectories = cdi;
    this.#workshop = workshop;
    this.#registry = registry;
    this.#cacheMounts = new CacheMounts(workshop.state);
    this.#keeper = new CacheKeeper(workshop, this.#cacheMounts, limits);
    // A daemon that builds nothing any more forgets in the end too.
    this.#timer = setInterval(() => this.#tidy(), 3_600_000);
    this.#timer.unref();
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
    const epoch = sourceDate(request);
    const inline = wantsInlineCache(request, epoch);
    const sources = new CacheSources(
      { images: this.#workshop.images, cache: this.#cache },
      request,
      (message) => request.onEvent?.({ kind: "trouble", message }),
    );
    const builds = this.#begin(request, sources);
    const steps = builds.flatMap((build) => build.steps);
    const outputs = planOutputs(request, steps.length);
    const shown = outputs.flatMap(({ step }) => step ?? []);
    request.onEvent?.({ kind: "plan", steps: [...steps, ...shown] });
    try {
      const products: Product[] = [];
      for (const [index, built] of (await runAll(builds)).entries()) {
        const build = builds[index];
        if (!build) continue;
        const { files } = this.#workshop;
        const { images, cache, keep } = build;
        const whole = request.squash ? await squashedImage(built, { images, cache, keep, files }) : built;
        const image = epoch === undefined ? whole : await datedImage(whole, epoch, build);
        if (inline) image.document = withCache(image.document, build.outcomes(false), image.layers);
        products.push({
          ...image,
          outcomes: (all) => build.outcomes(all),
          provenance: provenanceOf(build.request, build, epoch),
        });
      }
      const production = {
        request,
        workshop: this.#workshop,
        registry: this.#registry,
        signal: request.signal,
      };
      const result = await produce(production, products, outputs);
      const { imageId, digest, names, provenance } = result;
      const { usage } = request.context;
      if (usage) request.onEvent?.({ kind: "context", ...usage });
      request.onEvent?.({ kind: "image", id: imageId, ...(digest ? { digest } : {}), names, provenance });
      return result;
    } finally {
      for (const build of builds) await build.release();
      sources.release(this.#workshop.images);
      await this.#workshop.images.collectLater();
      this.#tidy();
    }
  }

  /** A build for each platform; what they have in common is done once. */
  #begin(request: BuildRequest, sources: CacheSources): RunningBuild[] {
    const platforms = request.platforms?.length ? request.platforms : [request.platform];
    const made = new Set<string>();
    const builds: RunningBuild[] = [];
    let begun = 0;
    const stop = new AbortController();
    const signal = request.signal ? AbortSignal.any([request.signal, stop.signal]) : stop.signal;
    for (const [index, platform] of platforms.entries()) {
      const own = { ...request, signal, platform: platform && formatPlatform(parsePlatform(platform)) };
      // What is odd about the Dockerfile is so for all platforms, and said once.
      const { plan, checks } = prepareBuild(index === 0 ? own : { ...own, onEvent: undefined });
      checks.settle();
      const build = new RunningBuild({
        request: own,
        plan,
        checks,
        workshop: this.#workshop,
        registry: this.#registry,
        cache: this.#cache,
        cacheMounts: this.#cacheMounts,
        cdiDirectories: this.#cdiDirectories,
        sources,
        made,
        begun,
        isOneOfSeveral: platforms.length > 1,
        onFailure: (error) => stop.abort(error),
      });
      begun += build.steps.length;
      builds.push(build);
    }
    return builds;
  }

  /** Ends what is done from time to time. */
  close(): void {
    clearInterval(this.#timer);
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

/** Dated layers are other ones than those that keys speak of. Throws INVALID_PARAMETER. */
function wantsInlineCache(
  { inlineCache, squash, buildArgs }: BuildRequest,
  epoch: number | undefined,
): boolean {
  if (inlineCache && squash)
    throw invalid("a cache of type inline cannot go with --squash: use type=registry or type=local");
  if (inlineCache && epoch !== undefined)
    throw invalid("a cache of type inline cannot go with SOURCE_DATE_EPOCH: use type=registry or type=local");
  return inlineCache === true || (isOn(buildArgs?.BUILDKIT_INLINE_CACHE) && epoch === undefined && !squash);
}

/** All at once; the first failure ends the others and is told when all have ended. */
async function runAll(builds: readonly RunningBuild[]): Promise<BuiltImage[]> {
  let failure: { error: unknown } | undefined;
  const running = builds.map((build) => build.run());
  for (const one of running)
    one.catch((error: unknown) => {
      failure ??= { error };
    });
  await Promise.allSettled(running);
  if (failure) throw failure.error;
  return Promise.all(running);
}
