import type { SealDirectory } from "../../image/layers.ts";
import { toBytes } from "../../lib/byte-text.ts";
import { FileWorkError, type FileWorker } from "../../lib/file-worker.ts";
import { ContextChangedError, isChange } from "./changed.ts";
import { FileIndex, type IndexedFile } from "./file-index.ts";

/**
 * Where files are read from: a directory, or layers of an image, topmost first. What was changed in the
 * directory after `unchangedSince` (a change time, as `scan` tells it) is refused.
 */
export type FileSource = { directory: string; unchangedSince?: string } | { layers: readonly string[] };

/** The words by which berth-files takes a source. */
export const sourceWords = (source: FileSource): string[] =>
  "directory" in source
    ? ["directory", source.directory]
    : source.layers.flatMap((layer) => ["lower", layer]);

/** Reads what is at a path and below, links on the way followed. Null when nothing is there. */
export async function indexFiles(
  worker: FileWorker,
  source: FileSource,
  path: string,
): Promise<FileIndex | null> {
  const work = await worker.start([...sourceWords(source), "index", path]);
  const files: IndexedFile[] = [];
  try {
    for await (const line of work.lines) files.push(toFile(line));
  } catch (error) {
    if (error instanceof FileWorkError && (error.code === "ENOENT" || error.code === "ENOTDIR")) return null;
    throw error;
  }
  return new FileIndex(files);
}

/** A line that tells of a file. */
export function toFile(line: Record<string, unknown>): IndexedFile {
  const text = (key: string): string | undefined => (line[key] === undefined ? undefined : String(line[key]));
  return {
    path: String(line.path),
    kind: String(line.kind) as IndexedFile["kind"],
    mode: Number(line.mode),
    uid: Number(line.uid),
    gid: Number(line.gid),
    size: Number(line.size),
    digest: text("digest"),
    target: text("target"),
    capability: text("capability"),
    device: text("device"),
    inode: text("inode"),
  };
}

/** One order for the program that copies; native/files/copy.c tells what they mean. */
export type CopyOrder = readonly [order: "x" | "d" | "f" | "m", source: string, destination: string];

/** Where files are copied to: a new layer above others, or a directory as it is. */
type CopyTarget =
  | {
      /** Absolute directories of the layers below, topmost first. */
      lower: readonly string[];
      /** A directory with `fs` and `work`. */
      directory: string;
    }
  | { target: string };

/** For every mode that the files have what it becomes; directories apart. */
export interface Modes {
  directories: ReadonlyMap<number, number>;
  files: ReadonlyMap<number, number>;
}

const modeWords = ({ directories, files }: Modes): string =>
  [["d", directories] as const, ["f", files] as const]
    .flatMap(([kind, modes]) =>
      [...modes].map(([from, to]) => `${kind}${from.toString(8)}:${to.toString(8)}`),
    )
    .join(",");

export type CopyOptions = CopyTarget & {
  source: FileSource;
  orders: readonly CopyOrder[];
  owner?: { uid: number; gid: number };
  /** What permissions become. */
  modes?: Modes;
  /** Seconds since 1970: nothing is to be younger. */
  newest?: number;
};

/** The words for a root that is written to: layers below, and the directory that takes the writes. */
export const layerWords = (lower: readonly string[], directory: string): string[] => [
  ...lower.flatMap((layer) => ["lower", layer]),
  "upper",
  `${directory}/fs`,
  `${directory}/work`,
];

/** Copies files from one root into another. */
export async function copyFiles(worker: FileWorker, options: CopyOptions): Promise<void> {
  const { owner, modes, newest } = options;
  const { source } = options;
  const limit = "directory" in source ? source.unchangedSince : undefined;
  const flags = `${owner ? "c" : ""}${modes ? "m" : ""}${newest === undefined ? "" : "t"}${limit ? "l" : ""}`;
  const work = await worker.start([
    ...("target" in options ? ["directory", options.target] : layerWords(options.lower, options.directory)),
    "from",
    ...sourceWords(source),
    "copy",
    flags,
    String(owner?.uid ?? 0),
    String(owner?.gid ?? 0),
    modes ? modeWords(modes) : "",
    String(newest ?? 0),
    limit ?? "",
  ]);
  // A program that stops reading says why itself.
  work.stdin.on("error", () => undefined);
  work.stdin.end(toBytes(options.orders.map((order) => order.map((word) => `${word}\0`).join("")).join("")));
  try {
    for await (const _ of work.lines);
  } catch (error) {
    if (limit && isChange(error)) throw new ContextChangedError(error.entry, error);
    throw error;
  }
}

/** Digests a directory that overlayfs wrote as the archive of a layer, and writes a recipe of that. */
export const sealWith =
  (worker: FileWorker): SealDirectory =>
  async (directory, recipe) => {
    const lines = await worker.run(["directory", directory, "seal", recipe]);
    const { diffId, plainSize, size, entries } = lines.at(-1) ?? {};
    return {
      diffId: `sha256:${diffId}`,
      plainSize: Number(plainSize),
      size: Number(size),
      entries: Number(entries),
    };
  };
