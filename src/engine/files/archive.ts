import { join } from "node:path";
import { finished, Readable } from "node:stream";
import { BerthError, invalid, notFound, system } from "../../lib/errors.ts";
import { goFileMode } from "../../lib/file-mode.ts";
import { type FileWork, FileWorkError } from "../../lib/file-worker.ts";
import type { Container } from "../container.ts";
import { containerEvent } from "../container-events.ts";
import type { EngineContext } from "../context.ts";
import { containerDirectory } from "../create.ts";
import { rootLayers } from "../init-layer.ts";
import { userOf } from "../launch.ts";
import type { PathStat, PutArchiveOptions } from "../types.ts";
import { archivePath } from "./archive-path.ts";
import { fileRoot, type Seen } from "./file-root.ts";

/** What a path is; a link is not followed unless the path ends in a slash. Throws NOT_FOUND. */
export async function statPath(
  context: EngineContext,
  container: Container,
  path: string,
): Promise<PathStat> {
  const { absolute, name } = archivePath(path);
  const [line] = await whileItRuns(container, path, () =>
    context.files.run([...fileRoot(context, container, false, "mounts"), "stat", absolute, name]),
  );
  return pathStat(line);
}

/** A file or directory as a tar stream, named by the last component of the path. Throws NOT_FOUND. */
export async function getArchive(
  context: EngineContext,
  container: Container,
  path: string,
): Promise<{ stat: PathStat; tar: Readable }> {
  const { absolute, name } = archivePath(path);
  const found = await packed(context, container, "mounts", path, ["pack", absolute, name]);
  containerEvent(context, container, "archive-path");
  return found;
}

/** The root filesystem, without what is mounted into it, as a tar stream. */
export async function exportContainer(context: EngineContext, container: Container): Promise<Readable> {
  const { tar } = await packed(context, container, "root alone", "/", ["export"]);
  containerEvent(context, container, "export");
  return tar;
}

/** What the container's writable layer changes, as the archive of an image's layer. */
export async function changesArchive(context: EngineContext, container: Container): Promise<Readable> {
  const upper = join(containerDirectory(context, container.id), "rw", "upper");
  const job = await context.files.start(["directory", upper, "layer"]);
  const lines = job.lines[Symbol.asyncIterator]();
  await lines.next();
  return untilDone(job, lines);
}

async function packed(
  context: EngineContext,
  container: Container,
  seen: Seen,
  path: string,
  work: string[],
): Promise<{ stat: PathStat; tar: Readable }> {
  return whileItRuns(container, path, async () => {
    const job = await context.files.start([...fileRoot(context, container, false, seen), ...work]);
    const lines = job.lines[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) throw system("berth-files gave no answer");
    return { stat: pathStat(first.value), tar: untilDone(job, lines) };
  });
}

/** The archive, whose end comes only when the program has said that it is complete. */
function untilDone(job: FileWork, lines: AsyncIterator<Record<string, unknown>>): Readable {
  const checked = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* job.archive;
      const { value } = await lines.next();
      if (value?.done !== true) throw system("berth-files ended early");
    } finally {
      job.kill();
    }
  };
  return Readable.from(checked(), { objectMode: false });
}

/**
 * Unpacks a tar stream (plain, gzip or zstd) into a directory of the container. Throws NOT_FOUND
 * without such a directory, FORBIDDEN where it is read-only, and dockerd's words for an archive that is
 * damaged or reaches outside.
 */
export async function putArchive(
  context: EngineContext,
  container: Container,
  path: string,
  tar: Readable,
  options: PutArchiveOptions = {},
): Promise<void> {
  const { absolute } = archivePath(path);
  const owner = options.copyUidGid ? await archiveOwner(context, container) : null;
  const flags = `${options.noOverwriteDirNonDir ? "k" : ""}${owner ? "c" : ""}`;
  const work = ["put", absolute, flags, String(owner?.uid ?? 0), String(owner?.gid ?? 0)];
  const unpack = async (): Promise<void> => {
    const args = [...fileRoot(context, container, true, "mounts"), ...work];
    await feed(await context.files.start(args), tar).catch((error: unknown) => {
      throw putFailure(error, container, path);
    });
  };
  // Two mounts of one writable layer would disturb each other: a start waits.
  if (container.shim) await unpack();
  else await container.lock.run(unpack);
  containerEvent(context, container, "extract-to-dir");
}

/**
 * Gives the program the archive and waits for its end. When it refuses, the rest of the archive is left
 * unread: destroying the stream would take the client's connection with it, and the answer.
 */
async function feed(job: FileWork, tar: Readable): Promise<void> {
  // A program that stops reading says why itself.
  job.stdin.on("error", () => undefined);
  const { promise: broken, reject } = Promise.withResolvers<never>();
  const stopWatching = finished(tar, (error) => {
    if (error) reject(error);
  });
  const said = Array.fromAsync(job.lines);
  tar.pipe(job.stdin);
  try {
    await Promise.race([said, broken]);
  } catch (error) {
    job.kill();
    await Promise.allSettled([said]);
    throw error;
  } finally {
    stopWatching();
    tar.unpipe(job.stdin);
  }
}

/** What `docker cp -a` gives the files to: the container's user. */
async function archiveOwner(
  context: EngineContext,
  container: Container,
): Promise<{ uid: number; gid: number } | null> {
  if (!container.record.config.User) return null;
  return userOf(context, container, rootLayers(context, container));
}

function putFailure(error: unknown, container: Container, path: string): unknown {
  if (!(error instanceof FileWorkError)) return error;
  const { code, entry, message } = error;
  if (code === "EROFS") return readOnly(container, entry);
  if (code === "ENOENT" && entry === "") return missing(container, path);
  if (code === "ENOTDIR" && entry === "") return invalid("extraction point is not a directory");
  return system(`Error processing tar file(exit status 1): ${message}`);
}

function readOnly(container: Container, path: string): BerthError {
  const within = container.record.mounts.some(
    ({ Destination = "" }) => path === Destination || path.startsWith(`${Destination}/`),
  );
  return new BerthError(
    "FORBIDDEN",
    within ? "mounted volume is marked read-only" : "container rootfs is marked read-only",
  );
}

const missing = (container: Container, path: string): BerthError =>
  notFound(`Could not find the file ${path} in container ${container.record.name}`);

/** Once more when the container ended between the look at it and the work in it. */
async function whileItRuns<T>(container: Container, path: string, work: () => Promise<T>): Promise<T> {
  for (let again = true; ; again = false) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof FileWorkError)) throw error;
      if (error.code === "ESRCH" && again) {
        await container.lock.run(() => undefined);
        continue;
      }
      if (error.code === "ENOENT") throw missing(container, path);
      throw system(`lstat ${path}: ${error.message.replace(/^lstat: /, "").toLowerCase()}`, error);
    }
  }
}

function pathStat(line: Record<string, unknown> | undefined): PathStat {
  const { name, size, mode, seconds, nanoseconds, target } = line ?? {};
  const time = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = String(nanoseconds).padStart(9, "0").replace(/0+$/, "");
  return {
    name: String(name),
    size: Number(size),
    mode: goFileMode(Number(mode)),
    mtime: `${time}${fraction === "" ? "" : `.${fraction}`}Z`,
    linkTarget: String(target),
  };
}
