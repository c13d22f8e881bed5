import type { StepRunner } from "../engine/step.ts";
import type { ImageBuilding } from "../image/building.ts";
import type { Layer } from "../image/layers.ts";
import type { FileWorker } from "../lib/file-worker.ts";
import type { Outcome, StepCache } from "./cache.ts";
import type { CacheMounts } from "./cache-mounts.ts";
import type { StepRecord } from "./cache-records.ts";
import type { SourceFiles } from "./context/source.ts";
import type { Location } from "./dockerfile/location.ts";
import type { Materials } from "./outputs/provenance.ts";
import type { Plan } from "./plan.ts";
import type { RemoteSources } from "./remote/sources.ts";
import type { StageState } from "./stage-state.ts";
import type { BuildRequest, OnBuildEvent, StepInfo } from "./types.ts";

/** What the steps of a build share. */
export interface BuildSession {
  readonly request: BuildRequest;
  readonly plan: Plan;
  readonly images: ImageBuilding;
  readonly cache: StepCache;
  readonly steps: StepRunner;
  readonly files: FileWorker;
  readonly cacheMounts: CacheMounts;
  readonly remote: RemoteSources;
  /** Where devices are described. */
  readonly cdiDirectories: readonly string[];
  /** A directory on a file system in memory, where it can be. */
  readonly memory: string;
  readonly signal: AbortSignal;
  readonly emit: OnBuildEvent;
  /** An outcome that another build gave to this one; held. */
  further(key: string): Promise<Outcome | undefined>;
  /** Remembers what came of a step. */
  record(record: StepRecord): void;
  /** The keys of what was done in this build, for whatever platform. */
  readonly made: Set<string>;
  /** Remembers what the build is made from. */
  readonly materials: Materials;
  /** Remembers to let go of a layer when the build is over. */
  keep(layer: Layer): void;
  /** The files that `--from` means, seen from a stage; without it those of the context. */
  source(from: string | undefined, stage: number, location: Location): Promise<SourceFiles>;
}

/** A step that is being done. */
export interface StepContext {
  readonly session: BuildSession;
  readonly state: StageState;
  /** The place of its stage. */
  readonly stage: number;
  readonly info: StepInfo;
}

/** Resolves with whether nothing had to be done. */
export type StepResult = Promise<{ cached: boolean }>;
