import { join } from "node:path";
import type { Workshop } from "../engine/engine.ts";
import type { ImageBuilding } from "../image/building.ts";
import type { Layer } from "../image/layers.ts";
import { hostPlatform, parsePlatform } from "../image/platform.ts";
import type { ImageDocument, Images } from "../image/types.ts";
import type { StepCache } from "./cache.ts";
import type { CacheMounts } from "./cache-mounts.ts";
import type { StepRecord } from "./cache-records.ts";
import type { CacheSources } from "./cache-sources.ts";
import type { Checks } from "./checks/index.ts";
import { contextSource, layerSource, type SourceFiles } from "./context/source.ts";
import type { Instruction } from "./dockerfile/instruction.ts";
import { failedAt, type Location } from "./dockerfile/location.ts";
import { parseTrigger } from "./dockerfile/parse.ts";
import { findBase } from "./from.ts";
import { NamedContexts } from "./named-contexts.ts";
import { Materials } from "./outputs/provenance.ts";
import { contextName, type Plan, type PlannedStage, sourceStage, sourcesOf } from "./plan.ts";
import { RemoteSources } from "./remote/sources.ts";
import type { BuildSession, StepResult } from "./stage-build.ts";
import { defaultPath, type Inherited, proxyArguments, StageState } from "./stage-state.ts";
import { contextStep } from "./steps/context.ts";
import { doStep } from "./steps/index.ts";
import type { BuildEvent, BuildRequest, StepInfo } from "./types.ts";

export interface BuildParts {
  request: BuildRequest;
  plan: Plan;
  checks: Checks;
  workshop: Workshop;
  registry: Pick<Images, "pull">;
  cache: StepCache;
  cacheMounts: CacheMounts;
  cdiDirectories: readonly string[];
  /** What other builds gave to this one. */
  sources: CacheSources;
  /** The keys of what was done in this build, for whatever platform. */
  made: Set<string>;
  /** Steps of other platforms that are shown before this one's. */
  begun: number;
  /** Whether there are other platforms. */
  isOneOfSeveral: boolean;
  /** Ends what goes on for other platforms. */
  onFailure: (error: unknown) => void;
}

/** What a build came to. Its layers are held until the build is released. */
export interface BuiltImage {
  document: ImageDocument;
  /** Lowest first. */
  layers: readonly Layer[];
  /** What came with the base image. */
  inherited: Inherited;
}

/** One build for one platform, from its plan to what its target stage is. */
export class RunningBuild {
  readonly #parts: BuildParts;
  readonly #abort = new AbortController();
  readonly #held: Layer[] = [];
  readonly #stages = new Map<number, Promise<StageState>>();
  readonly #infos: ReadonlyMap<number, StepInfo[]>;
  readonly #session: BuildSession;
  readonly #contexts: NamedContexts;
  readonly records: StepRecord[] = [];
  readonly materials = new Materials();
  readonly begun = Date.now();

  constructor(parts: BuildParts) {
    this.#parts = parts;
    this.#infos = stepInfos(parts);
    const { request, plan, workshop, cache } = parts;
    const signal = request.signal
      ? AbortSignal.any([request.signal, this.#abort.signal])
      : this.#abort.signal;
    const remote = new RemoteSources(workshop, { ssh: request.ssh, secrets: request.secrets, signal });
    this.#contexts = new NamedContexts(request.contexts, remote);
    this.#session = {
      request,
      plan,
      cache,
      images: workshop.images,
      steps: workshop.steps,
      files: workshop.files,
      cacheMounts: parts.cacheMounts,
      cdiDirectories: parts.cdiDirectories,
      materials: this.materials,
      made: parts.made,
      further: (key) => parts.sources.find(key),
      record: (record) => void this.records.push(record),
      memory: join(workshop.execRoot, "build"),
      remote,
      signal,
      emit: (event) => this.#emit(event),
      keep: this.keep,
      source: (from, stage, location) => this.#source(from, stage, location),
    };
  }

  #emit(event: BuildEvent): void {
    if ("step" in event && event.step.number === 0) return;
    this.#parts.request.onEvent?.(event);
  }

  /** The steps, in the order of the Dockerfile. */
  get steps(): StepInfo[] {
    return this.#parts.plan.needed.flatMap((index) => this.#infos.get(index) ?? []);
  }

  async run(): Promise<BuiltImage> {
    const { plan } = this.#parts;
    // All at once: each waits for those it stands on or copies from.
    const started = plan.needed.map((index) => this.#stage(index));
    await this.#settled(started);
    const state = await this.#stage(plan.target);
    this.#session.signal.throwIfAborted();
    this.#tellUnused();
    return { document: state.document(), layers: state.layers, inherited: state.inherited };
  }

  get request(): BuildRequest {
    return this.#parts.request;
  }

  get images(): ImageBuilding {
    return this.#parts.workshop.images;
  }

  /** Outcomes of steps; without `all` those of the stages that the result stands on. */
  outcomes(all: boolean): StepRecord[] {
    if (all) return this.records;
    const { stages, target } = this.#parts.plan;
    const own = new Set<number>();
    for (let at: number | undefined = target; at !== undefined; ) {
      own.add(at);
      const base: PlannedStage["base"] | undefined = stages[at]?.base;
      at = typeof base === "object" && "stage" in base ? base.stage : undefined;
    }
    return this.records.filter(({ stage }) => own.has(stage));
  }

  /** The build arguments that something asked for. */
  get consumed(): ReadonlySet<string> {
    return this.#parts.plan.consumed;
  }

  get cache(): StepCache {
    return this.#parts.cache;
  }

  /** Remembers to let go of a layer when all is done. */
  readonly keep = (layer: Layer): void => void this.#held.push(layer);

  /** Lets go of the layers, and of what was fetched. */
  async release(): Promise<void> {
    await this.#contexts.discard();
    for (const layer of this.#held) this.#parts.workshop.images.release(layer);
    this.#held.length = 0;
  }

  #tellUnused(): void {
    const { plan, request } = this.#parts;
    const names = Object.keys(request.buildArgs ?? {}).filter(
      (name) =>
        !plan.consumed.has(name) &&
        !proxyArguments.has(name) &&
        !/^(BUILDKIT_|SOURCE_DATE_EPOCH$)/.test(name),
    );
    if (names.length > 0) this.#emit({ kind: "unused", names: names.sort() });
  }

  /** The first failure ends the others; it is told when all have ended. */
  async #settled(stages: Promise<StageState>[]): Promise<void> {
    let failure: { error: unknown } | undefined;
    for (const stage of stages) {
      stage.catch((error: unknown) => {
        failure ??= { error };
        this.#abort.abort(error);
        this.#parts.onFailure(error);
      });
    }
    await Promise.allSettled(stages);
    if (failure) throw failure.error;
  }

  /** A stage that is being built, or begins to be. */
  #stage(index: number): Promise<StageState> {
    const known = this.#stages.get(index);
    if (known) return known;
    const planned = this.#parts.plan.stages[index];
    if (!planned) throw new Error(`there is no stage ${index}`);
    const promise = this.#buildStage(planned);
    this.#stages.set(index, promise);
    return promise;
  }

  async #buildStage(planned: PlannedStage): Promise<StageState> {
    const { index, stage } = planned;
    const infos = this.#infos.get(index) ?? [];
    const [first] = infos;
    if (!first) throw new Error(`stage ${index} has no steps`);
    const state = await this.#from(planned, first);
    this.#check(state, stage.instructions);
    for (const [place, instruction] of stage.instructions.entries()) {
      await this.#step(state, index, instruction, infos[place + 1] ?? first);
    }
    const last = infos.at(-1);
    if (index === this.#parts.plan.target && hasLabels(this.#parts.request) && last) {
      await this.#step(state, index, labelInstruction(this.#parts.request, stage.location), last);
    }
    return state;
  }

  #checkPlatform({ stage, platform }: PlannedStage, found: ImageDocument): void {
    const { checks, request } = this.#parts;
    const wanted = platform ?? request.platform;
    checks.basePlatform(stage.base, found, wanted ? parsePlatform(wanted) : hostPlatform, stage.location);
  }

  /** The base and what it wants to be done first. */
  async #from(planned: PlannedStage, info: StepInfo): Promise<StageState> {
    const { location } = planned.stage;
    const { base } = planned;
    // The step's time is its own.
    if (base !== "scratch" && "stage" in base) await this.#stage(base.stage);
    return this.#shown(info, location, async () => {
      const { state, result } = await this.#begin(planned, info);
      const texts = state.config.OnBuild ?? [];
      delete state.config.OnBuild;
      const triggers = texts.map((text) => parseTrigger(text, { ...location, trigger: `ONBUILD ${text}` }));
      for (const [place, trigger] of triggers.entries()) {
        const text = texts[place] ?? "";
        this.#emit({ kind: "trigger", step: info, text, number: place + 1, total: texts.length });
        await this.#sourcesReady(trigger, planned.index);
        await this.#do(state, planned.index, trigger, info);
      }
      return { value: state, cached: false, ...(result ? { result } : {}) };
    });
  }

  #check(state: StageState, instructions: readonly Instruction[]): void {
    const { checks } = this.#parts;
    const known = [...state.env.map((entry) => entry.split("=", 1)[0] ?? ""), ...state.args.keys()];
    checks.variables(instructions, known);
    checks.settle();
  }

  async #begin(planned: PlannedStage, info: StepInfo): Promise<{ state: StageState; result?: string }> {
    const { base } = planned;
    const { signal } = this.#session;
    if (base !== "scratch" && "stage" in base) {
      const below = await this.#stage(base.stage);
      const state = new StageState(below.document(), below.layers, below.inherited);
      for (const [name, value] of below.args) state.args.set(name, value);
      return { state };
    }
    const named = base !== "scratch" && "context" in base ? this.#contexts.image(base.context) : undefined;
    const isFiles = base !== "scratch" && "context" in base && named === undefined;
    const found = await findBase(
      this.#parts,
      { ...planned, base: isFiles ? "scratch" : named === undefined ? base : { image: named } },
      info,
      signal,
    );
    this.#held.push(...found.layers);
    if (found.origin) {
      this.materials.add(found.origin);
      this.#checkPlatform(planned, found.document);
    }
    const state = new StageState(found.document, found.layers, found.id);
    if (!state.env.some((entry) => entry.startsWith("PATH="))) {
      state.config.Env = [...state.env, defaultPath];
    }
    if (base !== "scratch" && "context" in base && isFiles) {
      const source = contextSource(await this.#contexts.files(base.context));
      await contextStep({ session: this.#session, state, stage: planned.index, info }, source);
    }
    return { state, ...(found.id ? { result: found.id } : {}) };
  }

  async #step(state: StageState, stage: number, instruction: Instruction, info: StepInfo): Promise<void> {
    await this.#sourcesReady(instruction, stage);
    await this.#shown(info, instruction.location, async () => ({
      value: undefined,
      ...(await this.#do(state, stage, instruction, info)),
    }));
  }

  async #do(state: StageState, stage: number, instruction: Instruction, info: StepInfo): StepResult {
    try {
      return await doStep({ session: this.#session, state, stage, info }, instruction);
    } catch (error) {
      failedAt(error, instruction.location);
      throw error;
    }
  }

  /** Tells of a step's beginning and end. */
  async #shown<T>(
    step: StepInfo,
    location: Location,
    work: () => Promise<{ value: T; cached: boolean; result?: string }>,
  ): Promise<T> {
    const { signal } = this.#session;
    signal.throwIfAborted();
    this.#emit({ kind: "begin", step });
    try {
      const { value, ...end } = await work();
      this.#emit({ kind: "end", step, ...end });
      return value;
    } catch (error) {
      if (!signal.aborted) this.#emit({ kind: "fail", step });
      failedAt(error, location);
      throw error;
    }
  }

  /** A step begins when the stages that it reads are there: its time is its own. */
  async #sourcesReady(instruction: Instruction, at: number): Promise<void> {
    const { stages } = this.#parts.plan;
    for (const from of sourcesOf(instruction)) {
      const source = sourceStage(stages, from, at, instruction.location);
      if (source) await this.#stage(source.index);
    }
  }

  async #source(from: string | undefined, at: number, location: Location): Promise<SourceFiles> {
    const { request, plan, workshop } = this.#parts;
    if (from === undefined) return contextSource(request.context);
    const stage = sourceStage(plan.stages, from, at, location);
    if (stage) {
      const { layers } = await this.#stage(stage.index);
      return layerSource(workshop.files, workshop.images.directories(layers));
    }
    const context = contextName(request.contexts, from);
    const image = context === undefined ? from : this.#contexts.image(context);
    if (context !== undefined && image === undefined)
      return contextSource(await this.#contexts.files(context));
    const { layers, origin } = await findBase(
      this.#parts,
      { base: { image: image ?? from }, platform: undefined },
      null,
      this.#session.signal,
    );
    this.#held.push(...layers);
    if (origin) this.materials.add(origin);
    return layerSource(workshop.files, workshop.images.directories(layers));
  }
}

function stepInfos({ plan, request, begun, isOneOfSeveral }: BuildParts): Map<number, StepInfo[]> {
  const infos = new Map<number, StepInfo[]>();
  let number = begun;
  const prefix = isOneOfSeveral ? `${request.platform} ` : "";
  for (const index of plan.needed) {
    const planned = plan.stages[index];
    if (!planned) continue;
    const texts = [planned.stage.original, ...planned.stage.instructions.map(({ original }) => original)];
    if (index === plan.target && hasLabels(request)) texts.push(labelText(request));
    infos.set(
      index,
      texts.map((text) => ({ number: ++number, stage: `${prefix}${planned.label}`, text })),
    );
  }
  // What no instruction needs may still be what a trigger of an image copies from; it is not shown.
  for (const { index, label, stage } of plan.stages) {
    if (infos.has(index)) continue;
    const hidden = [stage.original, ...stage.instructions.map(({ original }) => original)];
    infos.set(
      index,
      hidden.map((text) => ({ number: 0, stage: label, text })),
    );
  }
  return infos;
}

const hasLabels = ({ labels = {} }: BuildRequest): boolean => Object.keys(labels).length > 0;

const labelText = ({ labels = {} }: BuildRequest): string =>
  `LABEL ${Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")}`;

/** Labels that the request adds; nothing in them is a variable. */
function labelInstruction(request: BuildRequest, location: Location): Instruction {
  const literal = (text: string): string => `'${text.replaceAll("'", `'"'"'`)}'`;
  return {
    kind: "label",
    pairs: Object.entries(request.labels ?? {}).map(([name, value]) => [literal(name), literal(value)]),
    location,
    original: labelText(request),
  };
}
