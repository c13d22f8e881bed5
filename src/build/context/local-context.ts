import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { toBytes } from "../../lib/byte-text.ts";
import { conflict } from "../../lib/errors.ts";
import { FileWorkError, type FileWorker } from "../../lib/file-worker.ts";
import { ignores, readIgnore } from "../../lib/ignore.ts";
import type { BuildContext, LocalDirectory } from "../types.ts";
import { ContextChangedError, isChange } from "./changed.ts";
import type { ContextDigests, Digest } from "./context-digests.ts";
import { FileIndex, type IndexedFile } from "./file-index.ts";
import { toFile } from "./files.ts";

/**
 * Clocks of file systems tick every few milliseconds, those that keep whole seconds every one or two: two
 * changes within that may look like one.
 */
const tickOf = (changed: string): number => (changed.endsWith(".000000000") ? 2100 : 20);

interface Scanned extends IndexedFile {
  /** Changes whenever the file does. */
  identity: string;
}

/** Files, all of the context or some, are as they were told of; everything belongs to root. */
export async function openLocalContext(
  worker: FileWorker,
  digests: ContextDigests,
  { path, device, inode, rules }: LocalDirectory,
): Promise<BuildContext> {
  checkIdentity(path, device, inode);
  const patterns = readIgnore(rules);
  const { files, changed } = await scanQuiet(worker, path, prunable(patterns));
  const isIgnored = ignores(patterns);
  const all = new FileIndex(files);
  const { index, gone } =
    patterns.length === 0 ? { index: all, gone: [] } : all.without((file) => isIgnored(file.path));
  const identities = new Map(files.map((file) => [file.path, file.identity]));
  const known = digests.open(`${device}:${inode}`);
  let isUsed = false;
  let read = 0;
  return {
    directory: path,
    index,
    ignored: gone,
    patterns,
    unchangedSince: changed,
    get usage() {
      return isUsed ? { files: index.size, read } : undefined;
    },
    async digest(wanted) {
      isUsed = true;
      const missing: IndexedFile[] = [];
      for (const file of wanted) {
        if (file.kind !== "file" || file.digest !== undefined) continue;
        const found = known.get(identities.get(file.path) ?? "");
        if (found) Object.assign(file, found);
        else missing.push(file);
      }
      if (missing.length === 0) return;
      await readDigests(worker, path, missing, (file, identity, digest) => {
        if (identity !== identities.get(file.path)) throw new ContextChangedError(file.path);
        Object.assign(file, digest);
        known.set(identity, digest);
        read++;
      });
    },
  };
}

/** The client may be elsewhere, or in a container where this path is something else. */
function checkIdentity(path: string, device: string, inode: string): void {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stat?.isDirectory() || String(stat.dev) !== device || String(stat.ino) !== inode)
    throw conflict(`${path} is not the same directory here`);
}

/** What the directory holds, at a time when nothing had just changed. */
async function scanQuiet(
  worker: FileWorker,
  path: string,
  pruned: readonly string[],
): Promise<{ files: Scanned[]; changed: string }> {
  for (let attempt = 0; attempt < 4; attempt++) {
    const begun = Date.now();
    const files = await scan(worker, path, pruned);
    let changed = "";
    for (const { identity } of files) {
      const time = identity.slice(0, identity.indexOf(" "));
      if (time > changed) changed = time;
    }
    const age = begun - Number(changed) * 1000;
    const tick = tickOf(changed);
    if (age > tick) return { files, changed };
    if (age < -1000) throw conflict(`${path} has files from the future`);
    await sleep(tick - age + 1);
  }
  throw conflict(`${path} is being changed all the time`);
}

async function scan(worker: FileWorker, path: string, pruned: readonly string[]): Promise<Scanned[]> {
  const work = await worker.start(["directory", path, "scan"]);
  work.stdin.on("error", () => undefined);
  work.stdin.end(toBytes(pruned.map((word) => `${word}\0`).join("")));
  const files: Scanned[] = [];
  try {
    // Whose they are here says nothing: in a build they are root's.
    for await (const line of work.lines)
      files.push({ ...toFile(line), uid: 0, gid: 0, identity: String(line.identity) });
  } catch (error) {
    // What root may not read, as on some network file systems, its owner may send.
    if (error instanceof FileWorkError)
      throw conflict(`${path} cannot be used where it is: ${error.message}`);
    throw error;
  }
  return files;
}

async function readDigests(
  worker: FileWorker,
  path: string,
  files: readonly IndexedFile[],
  take: (file: IndexedFile, identity: string, digest: Digest) => void,
): Promise<void> {
  const work = await worker.start(["directory", path, "digest"]);
  work.stdin.on("error", () => undefined);
  work.stdin.end(toBytes(files.map((file) => `${file.path}\0`).join("")));
  let next = 0;
  try {
    for await (const { digest, capability, identity } of work.lines) {
      const file = files[next++];
      if (!file) break;
      take(file, String(identity), {
        digest: String(digest),
        ...(capability === undefined ? {} : { capability: String(capability) }),
      });
    }
  } catch (error) {
    if (isChange(error)) throw new ContextChangedError(files[next]?.path ?? path, error);
    throw error;
  }
}

/** Patterns that need no looking at what is below: whole paths, and names that count anywhere. */
function prunable(patterns: readonly string[]): string[] {
  if (patterns.some((pattern) => pattern.startsWith("!"))) return [];
  return patterns.flatMap((pattern) => {
    const name = pattern.replace(/^\*\*\//, "");
    if (/[*?[\]\\]/.test(name) || pattern === ".") return [];
    if (name === pattern) return [`/${name}`];
    return name.includes("/") ? [] : [name];
  });
}
