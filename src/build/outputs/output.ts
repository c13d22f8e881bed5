import type { Packing } from "../../image/registry/pack.ts";

/** What is made of a build's result. */
export type BuildOutput =
  /** An image in the store, and in its registry. */
  | { kind: "image"; names: readonly string[]; push: boolean }
  /** The files of the result as an archive. */
  | { kind: "files" }
  /** An archive of an OCI image layout, with `docker` such that `docker load` reads it. */
  | { kind: "layout"; names: readonly string[]; docker: boolean; compression: Packing }
  /** Outcomes of steps for other builds; `all` those of stages that the result does not stand on too. */
  | { kind: "cache"; all: boolean; to: { ref: string } | "archive" };
