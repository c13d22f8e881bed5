import type { HealthConfig } from "@docker/node-sdk";
import type { Location } from "./location.ts";
import type { Directives, Heredoc, Statement } from "./statements.ts";

/** A command for a shell, or words that are executed as they are. */
export type Command = { form: "shell"; text: string } | { form: "exec"; words: string[] };

/** The source and destination words of COPY and ADD, and what their flags say. */
export interface Transfer {
  sources: string[];
  destination: string;
  /** Documents among the sources, which stand there as `<<name`. */
  heredocs: Heredoc[];
  /** A stage, an image or a named context; the build's own context by default. */
  from?: string;
  chown?: string;
  chmod?: string;
  link: boolean;
  parents: boolean;
  exclude: string[];
  /** Whether ADD unpacks archives: those of the context by default, none that it fetches. */
  unpack?: boolean;
  /** What ADD fetches must have this digest. */
  checksum?: string;
  /** Whether ADD keeps `.git` of a repository. */
  keepGitDir?: boolean;
}

export type Body =
  | { kind: "arg"; args: { name: string; value: string | undefined }[] }
  | { kind: "env"; pairs: [name: string, value: string][] }
  | { kind: "label"; pairs: [name: string, value: string][] }
  | ({ kind: "copy" } & Transfer)
  | ({ kind: "add" } & Transfer)
  | {
      kind: "run";
      command: Command;
      heredocs: Heredoc[];
      mounts: string[];
      devices: { name: string; required: boolean }[];
      network: "default" | "none" | "host";
      security: "sandbox" | "insecure";
    }
  | { kind: "workdir"; value: string }
  | { kind: "user"; value: string }
  | { kind: "stopsignal"; value: string }
  | { kind: "maintainer"; value: string }
  | { kind: "cmd"; command: Command }
  | { kind: "entrypoint"; command: Command }
  | { kind: "shell"; words: string[] }
  | { kind: "expose"; ports: string[] }
  | { kind: "volume"; paths: string[] }
  | { kind: "healthcheck"; config: HealthConfig }
  | { kind: "onbuild"; trigger: string };

/** An instruction of a stage, after its FROM. Words still have their variables and quotes. */
export type Instruction = Body & {
  location: Location;
  /** As it is written, in one line. */
  original: string;
};

/** A FROM and what follows it. */
export interface Stage {
  location: Location;
  original: string;
  /** Another stage or an image, still with variables. */
  base: string;
  platform?: string;
  /** After AS, in small letters. */
  name?: string;
  /** As it is written. */
  writtenName?: string;
  instructions: Instruction[];
}

export interface Dockerfile {
  escapeToken: string;
  /** The ARGs before the first FROM. */
  metaArgs: (Instruction & { kind: "arg" })[];
  stages: Stage[];
  directives: Directives;
  /** All of it as it is written. */
  statements: Statement[];
}
