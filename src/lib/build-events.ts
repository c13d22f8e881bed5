/** A step of a build, as the API tells of it. */
export interface BuildStepMessage {
  /** From 1, in the order of the Dockerfile. */
  number: number;
  /** The stage: its name, or its place from 0. */
  stage: string;
  /** As it is written. */
  text: string;
}

/** What happens in a build, as a line of the answer to `POST /build?events=1`. */
export type BuildMessage =
  | { kind: "plan"; steps: readonly BuildStepMessage[] }
  | { kind: "warning"; rule: string; message: string; url: string; line: number; column: number }
  | { kind: "unused"; names: readonly string[] }
  /** What is wrong, shown in the Dockerfile's text. */
  | { kind: "failure"; excerpt: string }
  | { kind: "begin"; step: number }
  | { kind: "output"; step: number; stream: "stdout" | "stderr"; text: string }
  | { kind: "pull"; step: number; progress: { id?: string; status?: string; progress?: string } }
  | { kind: "end"; step: number; cached: boolean }
  /** The step that the build fails by; it has no end. */
  | { kind: "fail"; step: number }
  /** The build fails because a directory changed while it was used; as an archive it would not. */
  | { kind: "changed" }
  /** Something went wrong that is no failure. */
  | { kind: "trouble"; message: string }
  /** Of a directory that was used where it is: how many of its files were read. */
  | { kind: "context"; files: number; read: number }
  | {
      kind: "image";
      id: string;
      digest?: string;
      names: readonly string[];
      provenance?: Readonly<Record<string, object>>;
    };

/** The last message of a build that went well. */
export type BuiltMessage = Extract<BuildMessage, { kind: "image" }>;
