import type { Stats } from "node:fs";
import { posix, resolve } from "node:path";
import { fs, tty } from "../builtin.ts";
import type { Client } from "../client/client.ts";
import { defineCommand, exactly } from "../command.ts";
import { packTree } from "../copy/pack.ts";
import {
  assertsDirectory,
  type CopySide,
  keepEnding,
  planCopy,
  renameMember,
  splitCopyArgument,
  splitPath,
} from "../copy/paths.ts";
import { unpackTree } from "../copy/unpack.ts";
import { ApiError, CliError } from "../errors.ts";
import { humanSize } from "../format/units.ts";
import { err, out } from "../io/output.ts";

/** Copies files between a container and this machine. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tberth cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  summary: "Copy files between a container and this machine; `-` is a tar archive on stdin or stdout",
  aliases: ["container cp", "cp"],
  flags: {
    archive: { type: "bool", short: "a", help: "Keep the numbers of user and group" },
    "follow-link": { type: "bool", short: "L", help: "Copy what a link as SRC_PATH leads to" },
    quiet: { type: "bool", short: "q", help: "Do not say what was copied; so it is too without a terminal" },
  },
  arity: exactly(2),
  completes: "file",
  async run(flags, { args: [source = "", destination = ""], changed, client }) {
    if (source === "") throw new CliError("source can not be empty");
    if (destination === "") throw new CliError("destination can not be empty");
    const from = splitCopyArgument(source);
    const to = splitCopyArgument(destination);
    if (from.container && to.container) throw new CliError("copying between containers is not supported");
    if (!from.container && !to.container) throw new CliError("must specify at least one container source");
    const quiet = changed.has("quiet") ? flags.quiet : !tty.isatty(1);
    const follow = flags["follow-link"];
    const copied = from.container
      ? await copyFrom(client, from.container, from.path, to.path, follow)
      : await copyTo(client, to.container, from.path, to.path, follow, flags.archive);
    if (!quiet && copied) err(`Successfully copied ${humanSize(copied.bytes, 3)} to ${copied.to}\n`);
    return 0;
  },
});

interface Copied {
  bytes: number;
  to: string;
}

/** What the API says of a path in a container. `mode` has Go's bits for the type of file. */
interface PathStat {
  name: string;
  mode: number;
  linkTarget: string;
}

const goDirectory = 2 ** 31;
const goSymlink = 2 ** 27;
const hasBit = (mode: number, bit: number): boolean => Math.floor(mode / bit) % 2 === 1;

const archivePath = (container: string): string => `/containers/${encodeURIComponent(container)}/archive`;

function readStat(headers: Record<string, string>): PathStat {
  const encoded = headers["x-docker-container-path-stat"] ?? "";
  return JSON.parse(Buffer.from(encoded, "base64").toString()) as PathStat;
}

/** A path in a container; undefined when there is none, whatever the reason: the copy itself tells it. */
async function statPath(client: Client, container: string, path: string): Promise<PathStat | undefined> {
  try {
    const { headers } = await client.request("HEAD", archivePath(container), { query: { path } });
    return readStat(headers);
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

async function copyFrom(
  client: Client,
  container: string,
  source: string,
  destination: string,
  follow: boolean,
): Promise<Copied | undefined> {
  let path = source;
  const stat = follow ? await statPath(client, container, source) : undefined;
  if (stat && hasBit(stat.mode, goSymlink))
    path = keepEnding(posix.resolve(splitPath(source).directory, stat.linkTarget), source);
  const local = destination === "-" ? "-" : keepEnding(resolve(destination), destination);
  const target = local === "-" ? undefined : statDestination(local);
  const { headers, body } = await client.request("GET", archivePath(container), { query: { path } });
  if (target === undefined) {
    for await (const data of body) out(data);
    return undefined;
  }
  const side = { path, exists: true, isDirectory: hasBit(readStat(headers).mode, goDirectory) };
  const plan = planCopy(side, target);
  // A link that was followed goes by its own name, not that of what it leads to.
  if (path !== source && !plan.rename)
    plan.rename = { from: splitPath(path).base, to: splitPath(source).base };
  const counter = { bytes: 0 };
  await unpackTree(count(body, counter), plan);
  return { bytes: counter.bytes, to: local };
}

/** A local destination, through the links that lead to it. Throws `CliError` if it cannot be one. */
function statDestination(path: string): CopySide {
  let stat = fs.statSync(path, { throwIfNoEntry: false });
  let real = path;
  if (stat) real = keepEnding(fs.realpathSync(path), path);
  else if (look(path, "stat")?.isSymbolicLink()) {
    real = resolve(posix.dirname(path), fs.readlinkSync(path));
    stat = undefined;
  }
  const parent = posix.dirname(real.replace(/\/\.?$/, "") || "/");
  if (!fs.statSync(parent, { throwIfNoEntry: false })?.isDirectory())
    throw new CliError(`invalid output path: directory ${JSON.stringify(parent)} does not exist`);
  if (stat && !stat.isDirectory() && !stat.isFile())
    throw new CliError(
      `invalid output path: ${JSON.stringify(path)} must be a directory or a regular file${kindOf(stat)}`,
    );
  return { path: real, exists: stat !== undefined, isDirectory: stat?.isDirectory() ?? false };
}

const kindOf = (stat: Stats): string =>
  stat.isCharacterDevice() || stat.isBlockDevice() ? ": got a device" : "";

async function copyTo(
  client: Client,
  container: string,
  source: string,
  destination: string,
  follow: boolean,
  keepOwner: boolean,
): Promise<Copied | undefined> {
  let path = destination;
  let stat = await statPath(client, container, path);
  if (stat && hasBit(stat.mode, goSymlink)) {
    path = posix.resolve(splitPath(destination).directory, stat.linkTarget);
    stat = await statPath(client, container, path);
  }
  const target = { path, exists: stat !== undefined, isDirectory: hasBit(stat?.mode ?? 0, goDirectory) };
  const upload = async (directory: string, body: AsyncIterable<Buffer>) => {
    await client.call("PUT", archivePath(container), {
      query: {
        path: directory,
        noOverwriteDirNonDir: true,
        copyUIDGID: keepOwner ? true : undefined,
      },
      body,
    });
  };
  if (source === "-") {
    if (!target.isDirectory)
      throw new CliError(`destination "${container}:${destination}" must be a directory`);
    await upload(path, process.stdin);
    return undefined;
  }
  const absolute = keepEnding(resolve(source), source);
  const local = statSource(absolute, follow);
  const plan = planCopy({ ...local, path: absolute }, target);
  const counter = { bytes: 0 };
  const name = renameMember(splitPath(absolute).base, plan.rename);
  await upload(plan.directory, count(packTree(local.path, name === "/" ? "." : name), counter));
  return { bytes: counter.bytes, to: `${container}:${path}` };
}

function statSource(path: string, follow: boolean): CopySide {
  // A link whose path ends in a slash is followed as well.
  const plain = path.replace(/(.)\/$/, "$1");
  const stat = look(plain, "lstat");
  if (!stat) throw new CliError(`lstat ${plain}: no such file or directory`);
  const through = stat.isSymbolicLink() && (follow || assertsDirectory(path));
  const real = through ? throughLinks(plain) : plain;
  const isDirectory = through ? fs.statSync(real).isDirectory() : stat.isDirectory();
  if (!isDirectory && assertsDirectory(path)) throw new CliError("not a directory");
  return { path: real, exists: true, isDirectory };
}

/** What is at a path itself, undefined for nothing. */
function look(path: string, call: "lstat" | "stat"): Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw pathError(call, path, error);
  }
}

function throughLinks(path: string): string {
  try {
    return fs.realpathSync(path);
  } catch (error) {
    throw pathError("lstat", resolve(posix.dirname(path), fs.readlinkSync(path)), error);
  }
}

/** What the system said of a path, as docker words it. */
function pathError(call: "lstat" | "stat", path: string, error: unknown): unknown {
  const reason = error instanceof Error ? /^[A-Z]+: ([^,]+)/.exec(error.message)?.[1] : undefined;
  if (reason === undefined) return error;
  const bare = call === "lstat" && reason === "not a directory";
  return new CliError(bare ? reason : `${call} ${path}: ${reason}`);
}

async function* count(source: AsyncIterable<Buffer>, counter: { bytes: number }): AsyncGenerator<Buffer> {
  for await (const data of source) {
    counter.bytes += data.length;
    yield data;
  }
}
