import { invalid, notFound } from "../../lib/errors.ts";
import type { ImageContext } from "../context.ts";
import { parsePlatform } from "../platform.ts";
import {
  canonical,
  familiar,
  familiarRepository,
  parseReference,
  type Reference,
  repositoryOf,
  splitStored,
  withDefaultTag,
} from "../reference.ts";
import type {
  Credentials,
  DistributionInspect,
  LookOptions,
  PullOptions,
  PushOptions,
  RemoteManifest,
  SearchOptions,
  SearchResult,
} from "../types.ts";
import { inspectDistribution } from "./distribution.ts";
import { Downloads } from "./downloads.ts";
import { RegistryError } from "./failure.ts";
import { defaultRegistryConfig, type RegistryConfig, RegistryHosts } from "./hosts.ts";
import { accessDenied, type PullTarget, pullReference } from "./pull.ts";
import { noLocalImage, otherRepositories, type PushedImage, pushBuilt, pushReference } from "./push.ts";
import { openRemoteImage, type RemoteImage } from "./remote-image.ts";
import { Repository } from "./repository.ts";
import { search } from "./search.ts";
import { Session } from "./session.ts";

/** Images from registries and to them. */
export class Registries {
  readonly #context: ImageContext;
  readonly #hosts: RegistryHosts;
  readonly #downloads: Downloads;

  constructor(context: ImageContext, config: RegistryConfig = defaultRegistryConfig) {
    this.#context = context;
    this.#hosts = new RegistryHosts(config);
    this.#downloads = new Downloads(context.layers);
  }

  /** See `Images.pull`. */
  async pull(ref: string, options: PullOptions = {}): Promise<string> {
    const asked = parseReference(ref);
    const target = this.#pullTarget(asked, options);
    const { repository } = target;
    let id = "";
    let anyNew = false;
    const references = await wantedReferences(repository, asked, options.allTags ?? false);
    for (const reference of references) {
      const pulled = await pullReference(target, reference);
      id = pulled.id;
      anyNew ||= pulled.isNew;
    }
    const what = anyNew ? "Downloaded newer image for" : "Image is up to date for";
    const [only] = references;
    target.tell({ status: `Status: ${what} ${familiar(references.length === 1 && only ? only : asked)}` });
    return id;
  }

  #pullTarget({ domain, path }: Reference, options: PullOptions): PullTarget {
    const { credentials = {}, signal, unnamed } = options;
    return {
      context: this.#context,
      downloads: this.#downloads,
      repository: new Repository({ hosts: this.#hosts, domain, path, credentials, access: "pull", signal }),
      tell: options.onProgress ?? (() => undefined),
      platform: options.platform ? parsePlatform(options.platform) : undefined,
      unnamed,
      signal,
    };
  }

  /** An image of a registry, of which only what is asked for is fetched. */
  open(ref: string, options: PullOptions = {}): Promise<RemoteImage> {
    const asked = withDefaultTag(parseReference(ref));
    return openRemoteImage(this.#pullTarget(asked, options), asked);
  }

  /** Pushes an image that the store does not have under a name; its layers are to be held. */
  async pushAs(ref: string, image: PushedImage, options: PushOptions = {}): Promise<void> {
    const asked = withDefaultTag(parseReference(ref));
    const { domain, path, tag } = asked;
    if (tag === undefined) throw invalid("cannot push a digest reference");
    const { credentials = {}, signal, onProgress: tell = () => undefined } = options;
    const repository = new Repository({
      hosts: this.#hosts,
      domain,
      path,
      credentials,
      access: "push",
      signal,
    });
    const manifest = await pushBuilt({ context: this.#context, repository, tell }, asked, [image]);
    await repository.putManifest(tag, manifest);
  }

  /** See `Images.push`. */
  async push(ref: string, options: PushOptions = {}): Promise<void> {
    const asked = parseReference(ref);
    const tell = options.onProgress ?? (() => undefined);
    const references = this.#localReferences(asked, options.allTags ?? false);
    tell({ status: `The push refers to repository [${repositoryOf(asked)}]` });
    if (references.length === 0) throw noLocalImage(asked);
    const repository = new Repository({
      hosts: this.#hosts,
      domain: asked.domain,
      path: asked.path,
      credentials: options.credentials ?? {},
      access: "push",
      mountFrom: this.#mountable(references),
      signal: options.signal,
    });
    for (const reference of references)
      await pushReference({ context: this.#context, repository, tell }, reference);
  }

  #localReferences(asked: Reference, all: boolean): (Reference & { tag: string })[] {
    if (asked.digest !== undefined) throw invalid("cannot push a digest reference");
    if (!all || asked.tag !== undefined) return [{ ...asked, tag: asked.tag ?? "latest" }];
    const names = this.#context.records.tagsOf(repositoryOf(asked));
    return names.map(([name]) => ({ ...asked, tag: splitStored(name).tag }));
  }

  /** The repositories that layers may be mounted from need to be in the token's scope. */
  #mountable(references: Reference[]): string[] {
    const { layers, records } = this.#context;
    const others = references.flatMap((reference) => {
      const id = records.byTag(canonical(reference));
      const own = id === undefined ? [] : layers.of("image", id);
      return own.flatMap((layer) => otherRepositories(this.#context, reference, layer));
    });
    return [...new Set(others)];
  }

  /** See `Images.search`. */
  search(term: string, options?: SearchOptions): Promise<SearchResult[]> {
    return search(this.#hosts, term, options);
  }

  /** See `Images.distribution`. */
  distribution(ref: string, options?: LookOptions): Promise<DistributionInspect> {
    const reference = withDefaultTag(parseReference(ref));
    return inspectDistribution(this.#toLookAt(reference, options), reference);
  }

  /** See `Images.remoteManifest`. */
  manifest(ref: string, options?: LookOptions): Promise<RemoteManifest> {
    const reference = withDefaultTag(parseReference(ref));
    return this.#toLookAt(reference, options).manifest(reference.digest ?? reference.tag ?? "latest");
  }

  #toLookAt({ domain, path }: Reference, options: LookOptions = {}): Repository {
    const { credentials = {}, signal } = options;
    return new Repository({ hosts: this.#hosts, domain, path, credentials, access: "pull", signal });
  }

  /** See `Images.login`. */
  async login(address: string, credentials: Credentials): Promise<void> {
    // The address may be a URL, and is Docker's own old one for its hub.
    const host = address.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    const domain = host === "" || host === "index.docker.io" ? "docker.io" : host;
    await new Session({ hosts: this.#hosts, domain, scope: "", credentials, mirrors: false }).ping();
  }

  close(): void {
    this.#hosts.close();
  }
}

async function wantedReferences(
  repository: Repository,
  asked: Reference,
  all: boolean,
): Promise<Reference[]> {
  if (!all || asked.tag !== undefined || asked.digest !== undefined) return [withDefaultTag(asked)];
  try {
    return (await repository.tags()).map((tag) => ({ ...asked, tag }));
  } catch (error) {
    if (!(error instanceof RegistryError) || error.registryCode !== "NAME_UNKNOWN")
      throw accessDenied(error, asked);
    throw notFound(`repository ${familiarRepository(repositoryOf(asked))} not found: ${error.message}`);
  }
}
