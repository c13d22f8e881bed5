import { invalid } from "../../lib/errors.ts";

/** A repository, and what of it is meant. */
export interface GitSource {
  /** As git takes it, without fragment and query. */
  remote: string;
  /** A branch, a tag, a full reference or a commit; the repository's own branch by default. */
  ref?: string;
  /** The commit that it must be: its digest or the beginning of it. */
  commit?: string;
  /** Below this directory. */
  subdirectory?: string;
  keepGitDirectory?: boolean;
  submodules?: boolean;
}

const scheme = /^(https?|git|ssh):\/\//;
const scpLike = /^[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9._-]+:(?!\/\/)/;

/**
 * Reads the address of a git repository: `git://…`, `ssh://…`, `user@host:path`, and `http(s)://….git`, with
 * `#ref:directory` or `?ref=…&subdir=…`. Undefined for what is no repository. Throws INVALID_PARAMETER.
 */
export function parseGitUrl(text: string): GitSource | undefined {
  const [, address = "", fragment] = /^([^#]*)(?:#(.*))?$/s.exec(text) ?? [];
  if (scpLike.test(address)) return withFragment({ remote: address }, fragment, text);
  if (!scheme.test(address) || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  const isHttp = url.protocol === "http:" || url.protocol === "https:";
  if (isHttp && !/\.git\/?$/.test(url.pathname)) return undefined;
  const source: GitSource = { remote: address.replace(/\?.*$/s, "") };
  readQuery(source, url.searchParams, text);
  return withFragment(source, fragment, text);
}

function readQuery(source: GitSource, query: URLSearchParams, text: string): void {
  const isOn = (value: string): boolean => value === "" || value === "1" || value.toLowerCase() === "true";
  for (const [key, value] of query) {
    if (key === "ref" || key === "branch" || key === "tag") {
      if (source.ref !== undefined) throw invalid(`${text}: only one of ref, branch and tag can be given`);
      const prefix = { ref: "", branch: "refs/heads/", tag: "refs/tags/" }[key];
      source.ref = checkedRef(`${prefix}${value}`, text);
    } else if (key === "commit" || key === "checksum") source.commit = checkedCommit(value, text);
    else if (key === "subdir") source.subdirectory = checkedDirectory(value, text);
    else if (key === "keep-git-dir") source.keepGitDirectory = isOn(value);
    else if (key === "submodules") source.submodules = isOn(value);
    else throw invalid(`${text}: unexpected query ${JSON.stringify(key)}`);
  }
}

function withFragment(source: GitSource, fragment: string | undefined, text: string): GitSource {
  if (fragment === undefined || fragment === "") return source;
  const [ref = "", ...rest] = fragment.split(":");
  const directory = rest.join(":");
  if ((ref !== "" && source.ref !== undefined) || (directory !== "" && source.subdirectory !== undefined))
    throw invalid(`${text}: what the query says must not be in the fragment too`);
  if (ref !== "") source.ref = checkedRef(ref, text);
  if (directory !== "") source.subdirectory = checkedDirectory(directory, text);
  return source;
}

/** Nothing that git would take for an option or an expression. */
function checkedRef(ref: string, text: string): string {
  const isBad = /^-|\.\.|[\s~^:?*[\\\x7f]|@\{|\/$|^\/|\.lock$/.test(ref) || [...ref].some((c) => c < " ");
  if (ref === "" || isBad) throw invalid(`${text}: invalid git reference ${JSON.stringify(ref)}`);
  return ref;
}

/** A commit's digest, or the beginning of it. Throws INVALID_PARAMETER. */
export function checkedCommit(commit: string, text: string): string {
  if (!/^[0-9a-f]{1,64}$/i.test(commit)) throw invalid(`${text}: invalid commit ${JSON.stringify(commit)}`);
  return commit.toLowerCase();
}

function checkedDirectory(directory: string, text: string): string {
  const parts = directory.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes(".."))
    throw invalid(`${text}: the directory ${JSON.stringify(directory)} leads out of it`);
  return parts.join("/");
}
