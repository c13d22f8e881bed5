import { join, relative, resolve } from "node:path";
import { ignores, readIgnore } from "../../lib/ignore.ts";
import { padding } from "../../lib/tar/entry.ts";
import { tarEnd, tarHeader } from "../../lib/tar/write.ts";
import { fs } from "../builtin.ts";
import { type PackChoice, packFiles } from "../copy/pack.ts";
import { openError } from "../create/env.ts";
import { CliError } from "../errors.ts";
import type { NamedContext } from "./named-contexts.ts";

/** A directory as the daemon is told of it. */
interface LocalDirectory {
  path: string;
  device: string;
  inode: string;
  rules: string;
  dockerfile: string;
}

/** A context that is to be sent, or where the daemon finds it, and the Dockerfile within it. */
export interface SentContext {
  /** The directory, for a daemon that can use it where it is. */
  local: LocalDirectory | null;
  tar: AsyncIterable<Buffer> | undefined;
  /** What the API is asked for by it. */
  query: { contexts?: string; dockerfile: string; remote?: string };
  /** The Dockerfile's text; undefined where only the daemon will read it. */
  dockerfile: string | undefined;
}

/** The name in the archive of a Dockerfile that is not part of the context. */
const outsideName = ".dockerfile.outside";

/**
 * The context that a PATH argument means: a directory, `-` for an archive or a Dockerfile on standard input,
 * or the address of what the daemon fetches. `file` is -f: a path, or `-` for standard input. `named` are the
 * further ones.
 */
export async function openContext(
  path: string,
  file: string,
  named: readonly NamedContext[],
): Promise<SentContext> {
  const directories = named.flatMap((context) => (context.kind === "directory" ? context : []));
  const contexts = Object.fromEntries(
    named.map((context, index): [string, object] => [
      context.name,
      context.kind === "directory" ? { directory: `named/${index}` } : { [context.kind]: context.address },
    ]),
  );
  const isElsewhere = /^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(path);
  if (directories.length === 0) {
    const query = named.length === 0 ? {} : { contexts: JSON.stringify(contexts) };
    if (isElsewhere) return elsewhere(path, file, query);
    const { local, tar, name, dockerfile } =
      path === "-" ? await standardInput(file) : await directoryContext(path, file, "");
    const end = (async function* () {
      yield* tar;
      if (path !== "-") yield tarEnd;
    })();
    return { local, tar: end, query: { ...query, dockerfile: name }, dockerfile };
  }
  if (path === "-" || isElsewhere)
    throw new CliError("directories can be further contexts only of a build whose context is one");
  const { tar, name, dockerfile } = await directoryContext(path, file, "context/");
  const all = (async function* () {
    yield directoryMember("context/");
    yield* tar;
    for (const [index, context] of named.entries()) {
      if (context.kind !== "directory") continue;
      yield directoryMember(`named/${index}/`);
      yield* packFiles(context.path, ignoring(context.path, `named/${index}/`));
    }
    yield tarEnd;
  })();
  const query = { contexts: JSON.stringify({ ...contexts, "": { directory: "context" } }) };
  return { local: null, tar: all, query: { ...query, dockerfile: name }, dockerfile };
}

async function elsewhere(address: string, file: string, query: { contexts?: string }): Promise<SentContext> {
  if (file === "-") throw new CliError("a Dockerfile on standard input needs a context that is here");
  return {
    local: null,
    tar: undefined,
    query: { ...query, dockerfile: file || "Dockerfile", remote: address },
    dockerfile: undefined,
  };
}

const directoryMember = (name: string): Buffer =>
  tarHeader({ name, type: "directory", mode: 0o755, size: 0 });

/** The members of an archive without its end, the Dockerfile's name in it, and its text. */
interface Members {
  local: LocalDirectory | null;
  tar: AsyncIterable<Buffer>;
  name: string;
  dockerfile: string | undefined;
}

async function directoryContext(path: string, file: string, prefix: string): Promise<Members> {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new CliError(`unable to prepare context: path ${JSON.stringify(path)} not found`);
  if (!stat.isDirectory()) throw new CliError(`unable to prepare context: ${path} is not a directory`);
  const root = resolve(path);
  const given = file === "-" ? await readStandardInput() : undefined;
  const dockerfilePath = file === "-" ? "" : file === "" ? join(root, "Dockerfile") : resolve(file);
  const inside = relative(root, dockerfilePath);
  const isInside = given === undefined && !inside.startsWith("..");
  const dockerfile = given ?? readText(dockerfilePath, file || "Dockerfile");
  const ownRules = `${dockerfilePath}.dockerignore`;
  const rules = optionalText(ownRules) ?? optionalText(join(root, ".dockerignore")) ?? "";
  const extra: [string, string][] = isInside ? [] : [[outsideName, dockerfile]];
  // The rules for a Dockerfile that is outside go with it.
  if (!isInside) extra.push([`${outsideName}.dockerignore`, `${rules}\n${outsideName}*\n`]);
  // Ignored or not, they are what the build is made by.
  const needed = [inside, ".dockerignore", `${inside}.dockerignore`];
  const tar = (async function* () {
    yield* packFiles(root, choiceOf(rules, needed, prefix));
    for (const [name, text] of extra) yield* memberOf(`${prefix}${name}`, Buffer.from(text));
  })();
  const local = hasMounts(root) ? null : { ...identify(root), rules, dockerfile };
  return { local, tar, name: isInside ? inside : outsideName, dockerfile };
}

const ignoring = (root: string, prefix: string): PackChoice =>
  choiceOf(optionalText(join(root, ".dockerignore")) ?? "", [".dockerignore"], prefix);

function choiceOf(rules: string, needed: readonly string[], prefix: string): PackChoice {
  const patterns = readIgnore(rules);
  const isIgnored = ignores(patterns);
  return {
    excludes: (name) => isIgnored(`/${name}`) && !needed.includes(name),
    mayHold: patterns.some((pattern) => pattern.startsWith("!")),
    prefix,
  };
}

function identify(root: string): { path: string; device: string; inode: string } {
  const path = fs.realpathSync(root);
  const { dev, ino } = fs.statSync(path, { bigint: true });
  return { path, device: String(dev), inode: String(ino) };
}

/** Whether something is mounted below, which the daemon might not see as it is seen here. */
function hasMounts(root: string): boolean {
  const path = `${fs.realpathSync(root).replace(/\/$/, "")}/`;
  let mounts: string;
  try {
    mounts = fs.readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    // No Linux, so that the daemon is on another machine.
    return true;
  }
  return mounts.split("\n").some((line) => {
    const place = (line.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, code) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    return place.startsWith(path);
  });
}

async function standardInput(file: string): Promise<Members> {
  if (file === "-")
    throw new CliError("invalid argument: can't use stdin for both build context and dockerfile");
  const whole = await readAll();
  const isArchive =
    whole.toString("latin1", 257, 262) === "ustar" || compressed.some((head) => whole.indexOf(head) === 0);
  if (isArchive) return { tar: one(whole), name: file || "Dockerfile", dockerfile: undefined, local: null };
  const member = (async function* () {
    yield* memberOf("Dockerfile", whole);
    yield tarEnd;
  })();
  return { tar: member, name: "Dockerfile", dockerfile: whole.toString(), local: null };
}

/** How archives of gzip, zstd, bzip2 and xz begin. */
const compressed = ["1f8b", "28b52ffd", "425a68", "fd377a585a00"].map((head) => Buffer.from(head, "hex"));

async function* one(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}

function* memberOf(name: string, data: Buffer): Generator<Buffer> {
  yield tarHeader({ name, size: data.length });
  yield data;
  if (padding(data.length) > 0) yield Buffer.alloc(padding(data.length));
}

async function readAll(): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part);
  const whole = Buffer.concat(parts);
  if (whole.length < 2) throw new CliError("no build context: standard input is empty");
  return whole;
}

const readStandardInput = async (): Promise<string> => (await readAll()).toString();

function readText(path: string, shown: string): string {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError(`unable to prepare context: failed to read Dockerfile: ${openError(shown, error)}`);
  }
}

function optionalText(path: string): string | undefined {
  return fs.existsSync(path) ? fs.readFileSync(path, "utf8") : undefined;
}
