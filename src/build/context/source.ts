import type { FileWorker } from "../../lib/file-worker.ts";
import { hasWildcard } from "../../lib/glob.ts";
import type { BuildContext } from "../types.ts";
import type { FileIndex, IndexedFile } from "./file-index.ts";
import { type FileSource, indexFiles } from "./files.ts";

/** What a source word of COPY names. */
export interface SourceMatch {
  /** The name in its root, links not followed. */
  path: string;
  /** What it leads to. */
  file: IndexedFile;
  /** That and all below it. */
  tree: IndexedFile[];
}

/** Files that can be copied into a layer. */
export interface SourceFiles {
  readonly files: FileSource;
  /** Topmost paths that are there but must not be copied. */
  readonly ignored: readonly string[];
  /** In order of their names; empty when there are none. With `deep`, `**` is any number of directories. */
  match(pattern: string, deep?: boolean): Promise<SourceMatch[]>;
}

/** The files of a build's context. */
export function contextSource(context: BuildContext): SourceFiles {
  return {
    files: { directory: context.directory, unchangedSince: context.unchangedSince },
    ignored: context.ignored,
    async match(pattern, deep) {
      const found = matches(context.index, pattern, "", deep);
      await context.digest?.(found.flatMap(({ tree }) => tree));
      return found;
    },
  };
}

/** The files of an image or of another stage; `layers` topmost first. */
export function layerSource(worker: FileWorker, layers: readonly string[]): SourceFiles {
  const files = { layers };
  return {
    files,
    ignored: [],
    async match(pattern, deep) {
      const fixed = fixedPart(pattern);
      const index = await indexFiles(worker, files, fixed);
      const root = index?.first();
      if (!index || !root) return [];
      if (fixed === pattern) return [{ path: pattern, file: root, tree: index.tree(root.path) }];
      const below = root.path === "/" ? "" : root.path;
      return matches(index.below(root.path), pattern.slice(fixed === "/" ? 0 : fixed.length), below, deep);
    },
  };
}

/** The directories before the first wildcard. */
function fixedPart(pattern: string): string {
  if (!hasWildcard(pattern)) return pattern;
  const parts = pattern.split("/");
  return parts.slice(0, parts.findIndex(hasWildcard)).join("/") || "/";
}

function matches(index: FileIndex, pattern: string, prefix: string, deep = false): SourceMatch[] {
  return index.glob(pattern, deep).flatMap((path) => {
    const file = index.resolve(path);
    return file ? [{ path: `${prefix}${path}`, file, tree: index.tree(file.path) }] : [];
  });
}
