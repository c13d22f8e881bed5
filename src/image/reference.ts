import { type BerthError, invalid } from "../lib/errors.ts";

/**
 * An image's name, made complete as Docker does: `busybox` is `docker.io/library/busybox`. The grammar
 * is that of the distribution project's reference package.
 */
export interface Reference {
  /** Registry host with an optional port: `docker.io`, `localhost:5000`. */
  domain: string;
  /** Path within the registry: `library/busybox`. */
  path: string;
  tag?: string;
  /** sha256:<hex>. */
  digest?: string;
}

const domainPart = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const host = `(?:${domainPart}(?:\\.${domainPart})*|\\[(?:[a-fA-F0-9:]+)\\])`;
const domainPattern = `${host}(?::[0-9]+)?`;
const pathPart = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const namePattern = `(?:${domainPattern}/)?${pathPart}(?:/${pathPart})*`;
const tagPattern = "[\\w][\\w.-]{0,127}";
const digestPattern = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";

const whole = new RegExp(`^(${namePattern})(?::(${tagPattern}))?(?:@(${digestPattern}))?$`);
const domainOnly = new RegExp(`^${domainPattern}$`);
const tagOnly = new RegExp(`^${tagPattern}$`);
const digestOnly = /^sha256:[0-9a-f]{64}$/;
const identifier = /^[0-9a-f]{64}$/;
const longestName = 255;
const hub = "docker.io";

/** Whether the text is a digest that Berth knows: sha256 with 64 lower-case hex digits. */
export const isDigest = (text: string): boolean => digestOnly.test(text);

export const isTag = (text: string): boolean => tagOnly.test(text);

const formatError = (detail?: string): BerthError =>
  invalid(detail === undefined ? "invalid reference format" : `invalid reference format: ${detail}`);

/**
 * Parses a name as a person types it. Throws INVALID_PARAMETER with dockerd's words when it is
 * malformed, has capital letters, is too long or could be mistaken for an id.
 */
export function parseReference(text: string): Reference {
  if (identifier.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain, rest } = splitDomain(text);
  const repository = rest.split(/[:@]/, 1)[0] ?? "";
  if (repository !== repository.toLowerCase()) {
    throw formatError(`repository name (${repository}) must be lowercase`);
  }
  const parts = whole.exec(`${domain}/${rest}`);
  if (!parts || !domainOnly.test(domain)) throw formatError();
  const name = parts[1] ?? "";
  if (name.length - domain.length - 1 > longestName) {
    throw invalid(`repository name must not be more than ${longestName} characters`);
  }
  const [, , tag, digest] = parts;
  if (digest !== undefined && !isDigest(digest)) throw digestError(digest);
  return {
    domain,
    path: name.slice(domain.length + 1),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function digestError(digest: string): BerthError {
  return digest.startsWith("sha256:")
    ? invalid("invalid checksum digest length")
    : invalid("unsupported digest algorithm");
}

/** The first part is a registry when it looks like a host: with a dot, a colon or a capital, or localhost. */
function splitDomain(text: string): { domain: string; rest: string } {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  let domain = isHost ? first : hub;
  const rest = isHost ? text.slice(slash + 1) : text;
  if (domain === "index.docker.io") domain = hub;
  return { domain, rest: domain === hub && !rest.includes("/") ? `library/${rest}` : rest };
}

/** The repository without tag and digest, complete: `docker.io/library/busybox`. */
export const repositoryOf = (reference: Reference): string => `${reference.domain}/${reference.path}`;

/** With the tag `latest` when there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: "latest" }
    : reference;
}

/** The complete form, as names are stored. */
export function canonical(reference: Reference): string {
  return repositoryOf(reference) + suffix(reference);
}

/** The short form that people read: without `docker.io/` and `library/` where they go without saying. */
export function familiar(reference: Reference): string {
  return familiarRepository(repositoryOf(reference)) + suffix(reference);
}

/** As `familiar`, for the complete name of a repository. */
export function familiarRepository(repository: string): string {
  if (!repository.startsWith(`${hub}/`)) return repository;
  const path = repository.slice(hub.length + 1);
  const official = /^library\/([^/]+)$/.exec(path);
  return official?.[1] ?? path;
}

/** Splits a stored name `repository:tag`. */
export function splitStored(stored: string): { repository: string; tag: string } {
  const colon = stored.lastIndexOf(":");
  return { repository: stored.slice(0, colon), tag: stored.slice(colon + 1) };
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}
