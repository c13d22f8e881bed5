import { lstatSync } from "node:fs";
import { isAbsolute, posix } from "node:path";
import type { Mount } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import { propagations } from "./bind-mode.ts";

/** Refuses what cannot be mounted, with dockerd's texts. `sourceExists`: a bind's source has to be there now. */
export function checkMount(mount: Mount, sourceExists: boolean): void {
  const problem = problemOf(mount, sourceExists);
  if (problem) throw invalid(`invalid mount config for type "${mount.Type ?? ""}": ${problem}`);
}

/** Why nothing can be mounted at a path, or null. */
export function targetProblem(target: string): string | null {
  if (posix.normalize(target) === "/") return "invalid specification: destination can't be '/'";
  return isAbsolute(target) ? null : notAbsolute(target);
}

const notAbsolute = (path: string): string => `invalid mount path: '${path}' mount path must be absolute`;

function problemOf(mount: Mount, sourceExists: boolean): string | null {
  if (!mount.Target) return "field Target must not be empty";
  const problem = targetProblem(mount.Target);
  if (problem) return problem;
  switch (mount.Type) {
    case "bind":
      return bindProblem(mount, sourceExists);
    case "volume":
      return volumeProblem(mount);
    case "tmpfs":
      return tmpfsProblem(mount);
    case "image":
      return imageProblem(mount);
    default:
      return "mount type unknown";
  }
}

function bindProblem(
  { Source, BindOptions, VolumeOptions, ReadOnly }: Mount,
  sourceExists: boolean,
): string | null {
  if (!Source) return "field Source must not be empty";
  const propagation = BindOptions?.Propagation;
  if (propagation && !propagations.has(propagation)) return `invalid propagation mode: ${propagation}`;
  if (VolumeOptions) return "field VolumeOptions must not be specified";
  if (!isAbsolute(Source)) return notAbsolute(Source);
  if (BindOptions?.ReadOnlyForceRecursive) {
    if (!ReadOnly) return "must use read-only mode (ReadOnly) with ReadOnlyForceRecursive";
    if (propagation !== "rprivate") {
      return "ReadOnlyForceRecursive must use the propagation mode rprivate";
    }
    if (BindOptions.ReadOnlyNonRecursive)
      return "ReadOnlyForceRecursive and ReadOnlyNonRecursive exclude each other";
  }
  if (sourceExists && !BindOptions?.CreateMountpoint && !lstatSync(Source, { throwIfNoEntry: false })) {
    return `bind source path does not exist: ${Source}`;
  }
  return null;
}

function volumeProblem({ Source, BindOptions, VolumeOptions, ReadOnly }: Mount): string | null {
  if (BindOptions) return "field BindOptions must not be specified";
  const subpath = VolumeOptions?.Subpath;
  if (subpath && !Source) return "must not set Subpath when using anonymous volumes";
  if (subpath && !isLocal(subpath)) return "subpath must be a relative path within the volume";
  if (!Source && ReadOnly) return "must not set ReadOnly mode when using anonymous volumes";
  return null;
}

function isLocal(path: string): boolean {
  const clean = posix.normalize(path);
  return !isAbsolute(path) && clean !== ".." && !clean.startsWith("../");
}

function imageProblem({
  Source,
  BindOptions,
  VolumeOptions,
  TmpfsOptions,
  ImageOptions,
}: Mount): string | null {
  if (!Source) return "field Source must not be empty";
  if (BindOptions) return "field BindOptions must not be specified";
  if (VolumeOptions) return "field VolumeOptions must not be specified";
  if (TmpfsOptions) return "field TmpfsOptions must not be specified";
  const subpath = ImageOptions?.Subpath;
  return subpath && !isLocal(subpath) ? "subpath must be a relative path within the image" : null;
}

function tmpfsProblem({ Source, BindOptions, VolumeOptions }: Mount): string | null {
  if (BindOptions) return "field BindOptions must not be specified";
  if (Source) return "field Source must not be specified";
  return VolumeOptions ? "field VolumeOptions must not be specified" : null;
}
