import { CliError } from "../errors.ts";

/** An image reference in its familiar parts: without `docker.io/` and `library/`. */
export interface FamiliarReference {
  name: string;
  tag?: string;
  digest?: string;
}

/** Splits `repo[:tag][@digest]`; a colon before the last slash belongs to a registry's port. */
export function parseReference(text: string): FamiliarReference {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  return { name: familiarName(colon < 0 ? named : named.slice(0, colon)), tag, digest };
}

function familiarName(name: string): string {
  const local = name.replace(/^(?:index\.)?docker\.io\//, "");
  return local === name && name.split("/").length > 2 ? name : local.replace(/^library\//, "");
}

/** The reference with `:latest` when it has neither tag nor digest. */
export function withDefaultTag(text: string): string {
  const { name, tag, digest } = parseReference(text);
  return `${name}${tag || !digest ? `:${tag ?? "latest"}` : ""}${digest ? `@${digest}` : ""}`;
}

const path = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const domain =
  /^(?:localhost|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+|\[[0-9a-fA-F:]+\]|[a-zA-Z0-9-]+(?=:))(?::\d+)?\//;

/** Throws `CliError` with docker's reason when `text` is no reference to an image by name. */
export function checkReference(text: string): void {
  if (/^[0-9a-f]{64}$/.test(text))
    throw new CliError(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const { tag, digest } = parseReference(text);
  const named = text.replace(/@.*$/s, "");
  const bare = tag === undefined ? named : named.slice(0, -tag.length - 1);
  const host = domain.exec(bare)?.[0] ?? "";
  const rest = bare.slice(host.length);
  if (rest !== rest.toLowerCase()) {
    const full = host === "" && !rest.includes("/") ? `library/${rest}` : rest;
    throw new CliError(`invalid reference format: repository name (${full}) must be lowercase`);
  }
  const fits =
    path.test(rest) &&
    (tag === undefined || /^\w[\w.-]{0,127}$/.test(tag)) &&
    (digest === undefined || /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-f]{32,}$/i.test(digest));
  if (!fits) throw new CliError("invalid reference format");
}

/** The whole of a reference: `docker.io/library/busybox:latest`. */
export function canonicalReference(text: string): string {
  const familiar = withDefaultTag(text);
  const [first = "", ...rest] = familiar.split("/");
  if (rest.length === 0) return `docker.io/library/${familiar}`;
  return /[.:]/.test(first) || first === "localhost" ? familiar : `docker.io/${familiar}`;
}
