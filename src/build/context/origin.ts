import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Workshop } from "../../engine/engine.ts";
import { invalid } from "../../lib/errors.ts";
import { isOn } from "../build-args.ts";
import { webAuthorization } from "../remote/credentials.ts";
import { download } from "../remote/download.ts";
import { parseGitUrl } from "../remote/git-url.ts";
import { RemoteSources } from "../remote/sources.ts";
import { isArchiveStream } from "../steps/archive.ts";
import type {
  BuildRequest,
  ContextOrigin,
  LocalDirectory,
  NamedContext,
  OriginBuildRequest,
} from "../types.ts";
import { type ArchiveContext, readableContext, receiveContext } from "./archive-context.ts";
import type { ContextDigests } from "./context-digests.ts";
import { FileIndex } from "./file-index.ts";
import { openLocalContext } from "./local-context.ts";

/** A build whose context is here. To be discarded. */
export interface ReceivedBuild {
  request: BuildRequest;
  discard(): Promise<void>;
}

/** Brings a build's context here, and reads its Dockerfile. */
export async function receiveBuild(
  workshop: Workshop,
  digests: ContextDigests,
  origin: ContextOrigin,
  request: OriginBuildRequest,
): Promise<ReceivedBuild> {
  if ("local" in origin) return useLocal(workshop, digests, origin.local, request);
  const name = request.dockerfileName || "Dockerfile";
  const context: Fetched =
    "tar" in origin
      ? await receiveContext(workshop.files, workshop.images, origin.tar, name)
      : await fetchContext(workshop, origin.remote, request, name);
  try {
    const { main, contexts } = takeApart(context, request, name);
    const dockerfile = request.dockerfile ?? textOf(context.only ?? main.read(name), name);
    const { directories: _, ...rest } = request;
    return {
      request: { ...rest, dockerfile, dockerfileName: name, context: main, contexts },
      discard: () => context.discard(),
    };
  } catch (error) {
    await context.discard();
    throw error;
  }
}

async function useLocal(
  { files, log }: Workshop,
  digests: ContextDigests,
  directory: LocalDirectory,
  { directories: _, dockerfile, ...request }: OriginBuildRequest,
): Promise<ReceivedBuild> {
  if (dockerfile === undefined)
    throw invalid("a directory that is used where it is needs a Dockerfile's text");
  return {
    request: { ...request, dockerfile, context: await openLocalContext(files, digests, directory) },
    discard: async () => {
      // While nobody waits for it.
      setImmediate(() => {
        try {
          digests.save(`${directory.device}:${directory.inode}`);
        } catch (error) {
          // The next build reads the files again.
          log.warn("digests of a context could not be kept", { error: String(error) });
        }
      });
    },
  };
}

function textOf(data: Buffer | null, name: string): string {
  if (!data) throw invalid(`Cannot locate specified Dockerfile: ${name}`);
  if (data.length === 0) throw invalid(`The Dockerfile (${name}) cannot be empty`);
  return data.toString("utf8");
}

/** The directories of an archive that are contexts of their own, and what is left. */
function takeApart(
  context: ArchiveContext,
  { directories = {}, contexts = {} }: OriginBuildRequest,
  dockerfile: string,
): { main: Omit<ArchiveContext, "discard">; contexts: Record<string, NamedContext> } {
  const { "": own, ...others } = directories;
  const below = (path: string, rules: string): Omit<ArchiveContext, "discard"> => {
    const top = context.all.get(`/${path}`);
    if (top?.kind !== "directory") throw invalid(`the archive has no directory ${JSON.stringify(path)}`);
    return readableContext(join(context.directory, path), context.all.below(top.path), rules);
  };
  const named = Object.entries(others).map(([name, path]): [string, NamedContext] => [name, below(path, "")]);
  return {
    main: own === undefined ? context : below(own, dockerfile),
    contexts: { ...contexts, ...Object.fromEntries(named) },
  };
}

type Fetched = ArchiveContext & { only?: Buffer };

/** A context that is a repository, an archive on a web server, or there a Dockerfile alone. */
async function fetchContext(
  workshop: Workshop,
  address: string,
  request: OriginBuildRequest,
  dockerfile: string,
): Promise<Fetched> {
  const { signal, ssh, secrets, buildArgs = {} } = request;
  const git = parseGitUrl(address.replace(/^github\.com\//, "https://github.com/"));
  if (git) {
    const keepGitDirectory = git.keepGitDirectory ?? isOn(buildArgs.BUILDKIT_CONTEXT_KEEP_GIT_DIR);
    const remote = new RemoteSources(workshop, { ssh, secrets, signal });
    const files = await (await remote.git({ ...git, keepGitDirectory })).open();
    return { ...readableContext(files.directory, files.index, dockerfile), discard: files.discard };
  }
  if (!/^https?:\/\//.test(address) || !URL.canParse(address))
    throw invalid(`the remote context ${JSON.stringify(address)} is neither a repository nor an URL`);
  return fetchFile(workshop, address, request, dockerfile);
}

async function fetchFile(
  { images, files }: Workshop,
  address: string,
  { signal, secrets }: Pick<OriginBuildRequest, "signal" | "secrets">,
  dockerfile: string,
): Promise<Fetched> {
  const directory = await images.beginDirectory();
  const path = join(directory, "work", "context");
  const discard = (): Promise<void> => images.discard(directory);
  try {
    const authorization = await webAuthorization(secrets, address);
    await download(address, path, { signal, authorization });
    if (await isArchiveStream(createReadStream(path))) {
      const context = await receiveContext(files, images, createReadStream(path), dockerfile);
      await discard();
      return context;
    }
    const only = await readSmall(createReadStream(path), address);
    await rm(path);
    const root = { path: "/", kind: "directory" as const, mode: 0o755, uid: 0, gid: 0, size: 0 };
    return { ...readableContext(`${directory}/fs`, new FileIndex([root]), dockerfile), only, discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

async function readSmall(file: Readable, address: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of file) {
    size += part.length;
    if (size > 16 << 20) throw invalid(`${address} is neither an archive nor a Dockerfile`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
