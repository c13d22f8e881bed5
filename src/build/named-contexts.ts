import { invalid } from "../lib/errors.ts";
import { parseGitUrl } from "./remote/git-url.ts";
import type { FetchedFiles, RemoteSources } from "./remote/sources.ts";
import type { BuildContext, NamedContext } from "./types.ts";

/** The contexts of a build that have names; what is elsewhere is fetched when it is first needed. */
export class NamedContexts {
  readonly #contexts: Readonly<Record<string, NamedContext>>;
  readonly #remote: RemoteSources;
  readonly #fetched = new Map<string, Promise<FetchedFiles>>();

  constructor(contexts: Readonly<Record<string, NamedContext>> | undefined, remote: RemoteSources) {
    this.#contexts = contexts ?? {};
    this.#remote = remote;
  }

  /** The image that a context is; undefined when it is files. */
  image(name: string): string | undefined {
    const context = this.#contexts[name];
    return context && "image" in context ? context.image : undefined;
  }

  /** The files that a context is. */
  async files(name: string): Promise<BuildContext> {
    const context = this.#contexts[name];
    if (!context || "image" in context) throw invalid(`there is no context ${name} of files`);
    if (!("remote" in context)) return context;
    const known = this.#fetched.get(name);
    if (known) return known;
    const fetching = this.#fetch(context.remote);
    this.#fetched.set(name, fetching);
    return fetching;
  }

  async #fetch(address: string): Promise<FetchedFiles> {
    const git = parseGitUrl(address);
    if (!git) throw invalid(`a context must be a directory, an image or a git repository: ${address}`);
    return (await this.#remote.git(git)).open();
  }

  /** Removes what was fetched. */
  async discard(): Promise<void> {
    for (const result of await Promise.allSettled(this.#fetched.values())) {
      if (result.status === "fulfilled") await result.value.discard();
    }
  }
}
