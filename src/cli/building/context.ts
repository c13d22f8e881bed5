import { join, relative, resolve } from "node:path";
import { ignores, readIgnore } from "../../lib/ignore.ts";
import { padding } from "../../lib/tar/entry.ts";
import { tarEnd, tarHeader } from "../../lib/tar/write.ts";
import { fs } from "../builtin.ts";
import { packFiles } from "../copy/pack.ts";
import { openError } from "../create/env.ts";
import { CliError } from "../errors.ts";

/** A context that is to be sent, and the Dockerfile within it. */
export interface SentContext {
  /** The directory, for a daemon that can use it where it is. */
  local: { path: string; device: string; inode: string; rules: string; dockerfile: string } | null;
  tar: AsyncIterable<Buffer>;
  dockerfileName: string;
  /** The Dockerfile's text; undefined where only the daemon will read it. */
  dockerfile: string | undefined;
}

/** The name in the archive of a Dockerfile that is not part of the context. */
const outsideName = ".dockerfile.outside";

/**
 * The context that a PATH argument means: a directory, or `-` for an archive or a Dockerfile on standard
 * input. `file` is -f: a path, or `-` for standard input.
 */
export async function openContext(path: string, file: string): Promise<SentContext> {
  if (path === "-") return standardInput(file);
  if (/^(https?:\/\/|git@|github\.com\/)/.test(path)) {
    throw new CliError("a context elsewhere is not supported: fetch it and build from the directory");
  }
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new CliError(`unable to prepare context: path ${JSON.stringify(path)} not found`);
  if (!stat.isDirectory()) throw new CliError(`unable to prepare context: ${path} is not a directory`);
  const root = resolve(path);
  const given = file === "-" ? await readStandardInput() : undefined;
  const dockerfilePath = file === "-" ? "" : file === "" ? join(root, "Dockerfile") : resolve(file);
  const inside = relative(root, dockerfilePath);
  const isInside = given === undefined && !inside.startsWith("..");
  const dockerfile = given ?? readText(dockerfilePath, file || "Dockerfile");
  const rules =
    optionalText(`${dockerfilePath}.dockerignore`) ?? optionalText(join(root, ".dockerignore")) ?? "";
  const patterns = readIgnore(rules);
  // Ignored or not, they are what the build is made by.
  const needed = new Set([inside, ".dockerignore", `${inside}.dockerignore`]);
  const isIgnored = ignores(patterns);
  const extra: [string, string][] = isInside ? [] : [[outsideName, dockerfile]];
  // The rules for a Dockerfile that is outside go with it.
  if (!isInside) extra.push([`${outsideName}.dockerignore`, `${rules}\n${outsideName}*\n`]);
  return {
    local: hasMounts(root) ? null : { ...identify(root), rules, dockerfile },
    tar: archive(root, extra, {
      excludes: (name) => isIgnored(`/${name}`) && !needed.has(name),
      mayHold: patterns.some((pattern) => pattern.startsWith("!")),
    }),
    dockerfileName: isInside ? inside : outsideName,
    dockerfile,
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

async function standardInput(file: string): Promise<SentContext> {
  if (file === "-")
    throw new CliError("invalid argument: can't use stdin for both build context and dockerfile");
  const whole = await readAll();
  const isArchive =
    whole.toString("latin1", 257, 262) === "ustar" || whole.readUInt16BE(0) === 0x1f8b || whole[0] === 0x28;
  if (isArchive)
    return { tar: one(whole), dockerfileName: file || "Dockerfile", dockerfile: undefined, local: null };
  const member = (async function* () {
    yield* memberOf("Dockerfile", whole);
    yield tarEnd;
  })();
  return { tar: member, dockerfileName: "Dockerfile", dockerfile: whole.toString(), local: null };
}

async function* one(data: Buffer): AsyncGenerator<Buffer> {
  yield data;
}

function* memberOf(name: string, data: Buffer): Generator<Buffer> {
  yield tarHeader({ name, size: data.length });
  yield data;
  if (padding(data.length) > 0) yield Buffer.alloc(padding(data.length));
}

async function* archive(
  root: string,
  extra: [string, string][],
  choice: { excludes: (name: string) => boolean; mayHold: boolean },
): AsyncGenerator<Buffer> {
  yield* packFiles(root, choice);
  for (const [name, text] of extra) yield* memberOf(name, Buffer.from(text));
  yield tarEnd;
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
