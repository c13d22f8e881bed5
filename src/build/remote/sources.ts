import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { ImageBuilding } from "../../image/building.ts";
import { invalid } from "../../lib/errors.ts";
import type { FileWorker } from "../../lib/file-worker.ts";
import type { State } from "../../state/index.ts";
import { FileIndex } from "../context/file-index.ts";
import { indexFiles } from "../context/files.ts";
import { type AgentSocket, listenForAgent } from "../steps/ssh.ts";
import type { BuildContext, Secrets, SshAgents } from "../types.ts";
import { gitAuthorization, webAuthorization } from "./credentials.ts";
import { checkDigest, type Download, download, type Validators } from "./download.ts";
import { checkCommit, checkOut, resolveCommit } from "./git.ts";
import type { GitSource } from "./git-url.ts";

/** Files that are fetched only when they are needed. */
export interface RemoteSource {
  /** What decides their content. */
  identity: unknown;
  /** The same in the words of provenance. */
  digest: Record<string, string>;
  /** Fetches them; `discard` of what comes is to be called. */
  open(): Promise<FetchedFiles>;
  /** To be called when `open` was not. */
  discard(): Promise<void>;
}

/** Files that were fetched into a directory of their own. */
export interface FetchedFiles extends BuildContext {
  discard(): Promise<void>;
}

interface Parts {
  images: ImageBuilding;
  files: FileWorker;
  state: State;
}

/** Fetches what ADD and contexts name elsewhere. */
export class RemoteSources {
  readonly #parts: Parts;
  readonly #ssh: SshAgents | undefined;
  readonly #secrets: Secrets | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(parts: Parts, options: { ssh?: SshAgents; secrets?: Secrets; signal?: AbortSignal } = {}) {
    this.#parts = parts;
    this.#ssh = options.ssh;
    this.#secrets = options.secrets;
    this.#signal = options.signal;
  }

  /** A repository's files at a commit. */
  async git(source: GitSource): Promise<RemoteSource> {
    const { images, files } = this.#parts;
    const directory = await images.beginDirectory();
    let agent: AgentSocket | undefined;
    const discard = (): Promise<void> => {
      agent?.close();
      return images.discard(directory);
    };
    try {
      // Only ssh has a use for one.
      if (!/^(https?|git):/.test(source.remote))
        agent = await listenForAgent(this.#ssh, "default", join(directory, "work"));
      const authorization = /^https?:/.test(source.remote)
        ? await gitAuthorization(this.#secrets, source.remote)
        : undefined;
      const work = {
        home: join(directory, "work", "home"),
        agent: agent?.path,
        authorization:
          authorization === undefined ? undefined : { remote: source.remote, value: authorization },
        signal: this.#signal,
      };
      let found = await resolveCommit(source, work);
      checkCommit(source, found.commit);
      if (found.commit === undefined) {
        const commit = await checkOut(source, found, join(directory, "fs"), work);
        found = { commit, ref: undefined };
      }
      const { remote, subdirectory = "", keepGitDirectory = false, submodules = true } = source;
      return {
        digest: { gitCommit: found.commit ?? "" },
        // With `.git` the way there counts too.
        identity: [
          "git",
          found.commit,
          subdirectory,
          submodules,
          keepGitDirectory ? [remote, found.ref] : [],
        ],
        discard,
        open: async () => {
          const root = join(directory, "fs");
          const known = await indexFiles(files, { directory: root }, "/");
          if (!known || known.size <= 1) await checkOut(source, found, root, work);
          return { ...(await this.#below(root, subdirectory, remote)), discard };
        },
      };
    } catch (error) {
      await discard();
      throw error;
    }
  }

  /** A directory of the files; links that lead there do not leave them. */
  async #below(root: string, subdirectory: string, shown: string): Promise<BuildContext> {
    const index = await indexFiles(this.#parts.files, { directory: root }, "/");
    const top = index?.resolve(`/${subdirectory}`);
    if (!index || top?.kind !== "directory")
      throw invalid(`${shown} has no directory ${JSON.stringify(subdirectory)}`);
    return { directory: join(root, top.path), index: index.below(top.path), ignored: [] };
  }

  /** A file from a web server, which is called `name`. With `checksum` it need not be asked for. */
  async file(url: string, name: string, checksum: string | undefined): Promise<RemoteSource> {
    const { images } = this.#parts;
    const directory = await images.beginDirectory();
    const discard = (): Promise<void> => images.discard(directory);
    const path = join(directory, "fs", name);
    const fetch = async (known?: Validators): Promise<Download | "unchanged"> => {
      // What did not arrive whole has no name.
      const part = join(directory, "work", "part");
      const authorization = await webAuthorization(this.#secrets, url);
      const got = await download(url, part, { signal: this.#signal, known, authorization });
      if (got === "unchanged") return got;
      if (checksum !== undefined) checkDigest(url, checksum, got.digest);
      await rename(part, path);
      this.#remember(url, got);
      return got;
    };
    try {
      if (checksum !== undefined) {
        const open = async (): Promise<FetchedFiles> => {
          const got = await fetch();
          if (got === "unchanged") throw invalid(`${url}: there is no answer`);
          return { ...oneFile(directory, name, got), discard };
        };
        return { identity: ["file", checksum, name], digest: digestOf(checksum), discard, open };
      }
      const known = this.#known(url);
      const first = await fetch(known);
      const { digest, lastModified } = first === "unchanged" && known ? known : asDownload(first, url);
      const open = async (): Promise<FetchedFiles> => {
        const got = first === "unchanged" ? asDownload(await fetch(), url) : first;
        if (got.digest !== digest) throw invalid(`${url} changed while it was fetched`);
        return { ...oneFile(directory, name, got), discard };
      };
      const identity = ["file", `sha256:${digest}`, name, lastModified];
      return { identity, digest: { sha256: digest }, discard, open };
    } catch (error) {
      await discard();
      throw error;
    }
  }

  /** What the server said last of an address, when it can be asked whether that still holds. */
  #known(url: string): (Validators & { digest: string }) | undefined {
    const row = this.#parts.state
      .statement("SELECT digest, etag, last_modified FROM build_downloads WHERE url = ?")
      .get(url);
    if (!row) return undefined;
    const text = (value: unknown): string | undefined => (value === null ? undefined : String(value));
    return { digest: String(row.digest), etag: text(row.etag), lastModified: text(row.last_modified) };
  }

  #remember(url: string, { digest, etag, lastModified }: Download): void {
    const { state } = this.#parts;
    if (etag === undefined && lastModified === undefined) {
      state.statement("DELETE FROM build_downloads WHERE url = ?").run(url);
      return;
    }
    state
      .statement("INSERT OR REPLACE INTO build_downloads VALUES (?, ?, ?, ?, ?)")
      .run(url, digest, etag ?? null, lastModified ?? null, Date.now());
  }
}

function asDownload(got: Download | "unchanged", url: string): Download {
  if (got === "unchanged") throw invalid(`${url}: the server says "not modified" without being asked`);
  return got;
}

function oneFile(directory: string, name: string, { digest, size }: Download): BuildContext {
  const common = { uid: 0, gid: 0 };
  const index = new FileIndex([
    { path: "/", kind: "directory", mode: 0o755, size: 0, ...common },
    { path: `/${name}`, kind: "file", mode: 0o600, size, digest, ...common },
  ]);
  return { directory: join(directory, "fs"), index, ignored: [] };
}

/** `sha256:…` as provenance has it. */
function digestOf(checksum: string): Record<string, string> {
  const [algorithm = "", hex = ""] = checksum.split(":");
  return { [algorithm]: hex };
}
