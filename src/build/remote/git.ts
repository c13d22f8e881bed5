import { lstatSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { BerthError, invalid } from "../../lib/errors.ts";
import { type GitOptions, git } from "./git-run.ts";
import type { GitSource } from "./git-url.ts";

/** What a source means now. */
export interface GitCommit {
  /** The whole digest; undefined when only a fetch tells it. */
  commit: string | undefined;
  /** The full name of the reference that it was found by. */
  ref: string | undefined;
}

type Work = Pick<GitOptions, "agent" | "authorization" | "signal"> & { home: string };

/** Asks a repository which commit a source means. Throws INVALID_PARAMETER. */
export async function resolveCommit(source: GitSource, work: Work): Promise<GitCommit> {
  await mkdir(work.home, { recursive: true });
  const { ref = "HEAD" } = source;
  if (/^[0-9a-f]{40}$|^[0-9a-f]{64}$/.test(ref)) return { commit: ref, ref: undefined };
  const listed = await git(["ls-remote", "--", source.remote], {
    ...work,
    directory: work.home,
    silence: longestSilence,
  });
  const refs = new Map(
    listed.split("\n").map((line): [string, string] => {
      const [commit = "", name = ""] = line.split("\t");
      return [name, commit];
    }),
  );
  // The order in which git itself looks for a name.
  const names = ref === "HEAD" ? ["HEAD"] : [ref, `refs/${ref}`, `refs/tags/${ref}`, `refs/heads/${ref}`];
  const name = names.find((candidate) => refs.has(candidate));
  if (name === undefined) {
    // It may be the beginning of a commit's digest.
    if (/^[0-9a-f]{7,64}$/.test(ref)) return { commit: undefined, ref: undefined };
    throw invalid(`repository does not contain ref ${ref}: ${source.remote}`);
  }
  // A tag may be an object of its own that points to a commit.
  return { commit: refs.get(`${name}^{}`) ?? refs.get(name), ref: name };
}

/** Checks that a commit is the one that was asked for. */
export function checkCommit({ remote, commit: wanted }: GitSource, commit: string | undefined): void {
  if (wanted !== undefined && commit !== undefined && !commit.startsWith(wanted))
    throw invalid(`expected checksum to match ${wanted}, got ${commit}: ${remote}`);
}

/** Fetches a commit and its submodules into an empty directory; returns the commit. */
export async function checkOut(
  source: GitSource,
  { commit, ref }: GitCommit,
  directory: string,
  work: Work,
): Promise<string> {
  const run = (...args: string[]): Promise<string> =>
    git(args, { ...work, directory, silence: args[0] === "fetch" ? longestSilence : undefined });
  await run("init", "--quiet", ".");
  await run("remote", "add", "origin", source.remote);
  const start = await fetchCommit(run, source, commit, ref);
  await run("checkout", "--quiet", "--force", "--detach", start);
  const found = (await run("rev-parse", "HEAD")).trim();
  checkCommit(source, found);
  // git finds out in seconds what one look tells.
  const hasModules = source.submodules !== false && isThere(join(directory, ".gitmodules"));
  if (hasModules) await addSubmodules(run);
  if (!source.keepGitDirectory) {
    const modules = hasModules ? await submodules(run) : [];
    for (const module of modules) await rm(join(module, ".git"), { recursive: true, force: true });
    await rm(join(directory, ".git"), { recursive: true, force: true });
  }
  return found;
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** The directories of submodules, where git says that they are: below the repository's own. */
async function submodules(run: Run): Promise<string[]> {
  const top = (await run("rev-parse", "--show-toplevel")).trimEnd();
  const listed = await run("submodule", "--quiet", "foreach", "--recursive", 'printf "%s\\0" "$PWD"');
  return listed.split("\0").filter((path) => path.startsWith(`${top}/`));
}

type Run = (...args: string[]) => Promise<string>;

/** A server from which nothing comes for so long is given up. Milliseconds. */
const longestSilence = 60_000;

/** Fetches as little as the server lets; returns what to check out. */
async function fetchCommit(
  run: Run,
  source: GitSource,
  commit: string | undefined,
  ref: string | undefined,
): Promise<string> {
  const wanted = ref ?? commit;
  if (
    wanted !== undefined &&
    (await works(run("fetch", "--progress", "--depth=1", "--no-tags", "origin", wanted)))
  )
    return "FETCH_HEAD";
  // Old servers know no shallow fetches, or give no commit by its digest.
  if (ref !== undefined) {
    await run("fetch", "--progress", "--no-tags", "origin", ref);
    return "FETCH_HEAD";
  }
  await run("fetch", "--progress", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*");
  return `${commit ?? source.ref}^{commit}`;
}

async function addSubmodules(run: Run): Promise<void> {
  const update = ["submodule", "--quiet", "update", "--init", "--recursive"];
  if (!(await works(run(...update, "--depth=1")))) await run(...update);
}

/** Whether git succeeds; other failures are failures. */
async function works(result: Promise<string>): Promise<boolean> {
  try {
    await result;
    return true;
  } catch (error) {
    if (error instanceof BerthError && error.code === "INVALID_PARAMETER") return false;
    throw error;
  }
}
