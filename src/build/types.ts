import type { Duplex, Readable } from "node:stream";
import type { BuildCache, HostConfig } from "@docker/node-sdk";
import type { Annotation } from "../image/layout/annotations.ts";
import type { Credentials } from "../image/types.ts";
import type { Warning } from "./checks/rules.ts";
import type { FileIndex, IndexedFile } from "./context/file-index.ts";
import type { BuildOutput } from "./outputs/output.ts";
import type { PruneOptions, PruneResult } from "./prune.ts";

/** The files that a build may copy. Whoever brought them here keeps them until the build is over. */
export interface BuildContext {
  /** Absolute; holds files of strangers, so that it is read only below a root that cannot be left. */
  readonly directory: string;
  /** What is in it, ignored files left out. */
  readonly index: FileIndex;
  /** The topmost paths that are there but ignored. */
  readonly ignored: readonly string[];
  /** By which they are ignored. */
  readonly patterns?: readonly string[];
  /** Of a directory that others may change: when it was last changed before it was looked at. */
  readonly unchangedSince?: string;
  /** Finds out the digests of files in the index, where they are not there from the beginning. */
  digest?(files: readonly IndexedFile[]): Promise<void>;
  /** How much there is, and how much of that had to be read; undefined when nobody asked for a file. */
  readonly usage?: { files: number; read: number } | undefined;
}

/** A directory that is used where it is, if it is the one that the client means. */
export interface LocalDirectory {
  /** Absolute. */
  path: string;
  device: string;
  inode: string;
  /** Of the .dockerignore that counts. */
  rules: string;
}

/** A further context: files that are here, an image, or an address to fetch from. */
export type NamedContext = BuildContext | { image: string } | { remote: string };

/** Secrets by their id. They are asked for when a step mounts them, and kept nowhere. */
export interface Secrets {
  /** Undefined when there is no such secret. */
  read(id: string): Promise<Buffer | undefined>;
}

/** The client's ssh agents, by their ids. */
export interface SshAgents {
  has(id: string): boolean;
  /** A connection to an agent. Throws when it is gone. */
  connect(id: string): Duplex;
}

/** A step as it is shown: an instruction of a stage. */
export interface StepInfo {
  /** From 1, in the order of the Dockerfile. */
  number: number;
  /** Of the stage: its name, or its place from 0. */
  stage: string;
  /** As it is written. */
  text: string;
}

/** What happens in a build. Steps of different stages may happen at the same time. */
export type BuildEvent =
  | { kind: "plan"; steps: readonly StepInfo[] }
  | { kind: "warning"; warning: Warning }
  /** Build arguments that no ARG asked for. */
  | { kind: "unused"; names: readonly string[] }
  /** What is wrong, shown in the Dockerfile's text. An error follows. */
  | { kind: "failure"; isSyntax: boolean; excerpt: string }
  /** Something went wrong that is no failure. */
  | { kind: "trouble"; message: string }
  | { kind: "begin"; step: StepInfo }
  | { kind: "container"; step: StepInfo; id: string }
  /** What a step says, in whole characters. */
  | { kind: "output"; step: StepInfo; stream: "stdout" | "stderr"; text: string }
  | { kind: "pull"; step: StepInfo; progress: object }
  /** An instruction that the image of a FROM brought along is done, as part of the same step. */
  | { kind: "trigger"; step: StepInfo; text: string; number: number; total: number }
  /** `result`: the image of a FROM. */
  | { kind: "end"; step: StepInfo; cached: boolean; result?: string }
  /** The step that the build fails by; it has no end. */
  | { kind: "fail"; step: StepInfo }
  | { kind: "context"; files: number; read: number }
  | {
      kind: "image";
      id: string;
      digest?: string;
      names: readonly string[];
      provenance: Readonly<Record<string, object>>;
    };

export type OnBuildEvent = (event: BuildEvent) => void;

export interface BuildRequest {
  dockerfile: string;
  /** Where it is in its context: "Dockerfile" by default. */
  dockerfileName?: string;
  context: BuildContext;
  /** Further contexts by name, for FROM and COPY --from. */
  contexts?: Readonly<Record<string, NamedContext>>;
  secrets?: Secrets;
  ssh?: SshAgents;
  onEvent?: OnBuildEvent;
  /** Ends the build; nothing is left of it. */
  signal?: AbortSignal;
  /** A stage's name or number; the last one by default. */
  target?: string;
  /** Undefined takes the value of an argument's default away. */
  buildArgs?: Readonly<Record<string, string | undefined>>;
  labels?: Readonly<Record<string, string>>;
  /** Names for the image. */
  tags?: readonly string[];
  noCache?: boolean;
  /** Look for newer base images even when there are some. */
  pull?: boolean;
  platform?: string;
  /** Several at once: an image for each, under one name. */
  platforms?: readonly string[];
  /** For RUN: default, none, host or a network. */
  network?: string;
  /** What steps may ask for beyond that. */
  allow?: readonly Entitlement[];
  /** Limits and the like for the containers of RUN. */
  hostConfig?: HostConfig;
  /** For registries, by their host. */
  credentials?: (host: string) => Credentials;
  /** What is made of the result; an image in the store unless something is asked for. */
  outputs?: readonly BuildOutput[];
  /** Takes the archive of an output, which it must read to its end; `output` is its place in `outputs`. */
  deliver?: (output: number, archive: Readable) => Promise<void>;
  annotations?: readonly Annotation[];
  /** Images, here or in registries, with outcomes of steps of other builds. */
  cacheFrom?: readonly string[];
  /** One layer in place of those that the build adds. */
  squash?: boolean;
  /** Has outcomes go with the image itself. */
  inlineCache?: boolean;
  /** Has what it was built from go with the image; `max` with the Dockerfile's text. */
  provenance?: "min" | "max";
}

/** `RUN --network=host`, `RUN --security=insecure`, `RUN --device=…`: all devices, or one. */
export type Entitlement = "network.host" | "security.insecure" | "device" | `device=${string}`;

export interface BuildResult {
  /** sha256:<hex>. */
  imageId: string;
  /** Of the manifest, where one was made. */
  digest?: string;
  names: readonly string[];
  /** What it was built from, by platform. */
  provenance: Readonly<Record<string, object>>;
}

/**
 * Where a context comes from: an archive, maybe compressed; the address of a repository, archive or Dockerfile;
 * or a directory of this machine, of which only what changed since earlier builds is read. That is refused with
 * CONFLICT when it cannot be used where it is.
 */
export type ContextOrigin = { tar: Readable } | { remote: string } | { local: LocalDirectory };

/** A build whose context is to be brought here first. */
export interface OriginBuildRequest extends Omit<BuildRequest, "dockerfile" | "context"> {
  /** Instead of the one in the context. */
  dockerfile?: string;
  /** Directories of an archive that are contexts by their names; that with the empty name is the build's own. */
  directories?: Readonly<Record<string, string>>;
}

/** Building images: /build of the Docker Engine API. */
export interface Builds {
  build(request: BuildRequest): Promise<BuildResult>;
  buildFrom(origin: ContextOrigin, request: OriginBuildRequest): Promise<BuildResult>;
  /** Resolves with what is odd about a Dockerfile, without building it. */
  check(request: BuildRequest): Promise<readonly Warning[]>;
  checkFrom(origin: ContextOrigin, request: OriginBuildRequest): Promise<readonly Warning[]>;
  /** What is kept of earlier builds. */
  cache(): Promise<BuildCache[]>;
  prune(options?: PruneOptions): Promise<PruneResult>;
}
