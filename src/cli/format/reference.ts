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
