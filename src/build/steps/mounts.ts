import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Mount } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import { copyFiles } from "../context/files.ts";
import { identityOf } from "../context/identity.ts";
import type { SourceFiles, SourceMatch } from "../context/source.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { DockerfileError } from "../dockerfile/location.ts";
import { expandAt } from "../plan.ts";
import type { StepContext } from "../stage-build.ts";
import { type MountWish, parseMountWish } from "./mount-words.ts";
import { listenForAgent } from "./ssh.ts";

/** A mount with what it shows found. */
export interface PlannedMount {
  wish: MountWish;
  target: string;
  source: { files: SourceFiles; match: SourceMatch } | undefined;
}

/** What a step's container gets, and how to give it back. */
export interface PreparedMounts {
  mounts: Mount[];
  env: string[];
  release(): Promise<void>;
}

/** Finds out what the mounts of a RUN show. */
export async function planMounts(
  { session, state, stage }: StepContext,
  run: Instruction & { kind: "run" },
): Promise<PlannedMount[]> {
  const planned: PlannedMount[] = [];
  for (const text of run.mounts) {
    const { location } = run;
    const expanded = expandAt(location, text, state.lookup, session.plan.dockerfile.escapeToken);
    const wish = parseMountWish(expanded, location);
    const hasSource = wish.type === "bind" || (wish.type === "cache" && wish.from !== undefined);
    planned.push({
      wish,
      target: targetOf(wish, state.absolute.bind(state)),
      source: hasSource ? await findSource(session, wish, stage, location) : undefined,
    });
  }
  return planned;
}

function targetOf(wish: MountWish, absolute: (path: string) => string): string {
  if (wish.target !== "") return absolute(wish.target);
  return wish.type === "secret" ? `/run/secrets/${wish.id}` : `/run/buildkit/ssh_agent.${wish.id || 0}`;
}

async function findSource(
  session: StepContext["session"],
  wish: MountWish,
  stage: number,
  location: Instruction["location"],
): Promise<NonNullable<PlannedMount["source"]>> {
  const files = await session.source(wish.from, stage, location);
  const [match] = await files.match(`/${wish.source}`.replace(/\/+/g, "/").replace(/(?<=.)\/$/, ""));
  if (!match)
    throw new DockerfileError(
      `failed to compute cache key: ${JSON.stringify(wish.source)}: not found`,
      location,
    );
  return { files, match };
}

/** What of the mounts decides the outcome: content that is read, but no cache's and no secret's. */
export const mountInputs = (planned: readonly PlannedMount[]): unknown =>
  planned.map(({ wish, target, source }) => [
    { ...wish, target },
    wish.type === "bind" ? source && identityOf(source.match.tree, source.match.file.path, true) : undefined,
  ]);

/** Makes the mounts' sources, and shows a script where there is one. */
export async function prepareMounts(
  { session }: StepContext,
  planned: readonly PlannedMount[],
  script?: { path: string; content: string },
): Promise<PreparedMounts> {
  const undo: (() => void | Promise<void>)[] = [];
  const prepared: PreparedMounts = {
    mounts: [],
    env: [],
    release: async () => {
      for (const step of undo.reverse()) await step();
    },
  };
  try {
    for (const mount of planned) await prepare(session, mount, prepared, undo);
    if (script) {
      const { path, content } = script;
      // Not in memory: nothing can be executed there.
      const directory = await session.images.beginDirectory();
      undo.push(() => session.images.discard(directory));
      const file = join(directory, "fs", "script");
      writeFileSync(file, content, { mode: 0o755 });
      prepared.mounts.push({ Type: "bind", Source: file, Target: path, ReadOnly: true });
    }
    return prepared;
  } catch (error) {
    await prepared.release();
    throw error;
  }
}

async function prepare(
  session: StepContext["session"],
  { wish, target, source }: PlannedMount,
  { mounts, env }: PreparedMounts,
  undo: (() => void | Promise<void>)[],
): Promise<void> {
  const bind = (path: string, readOnly: boolean): void =>
    void mounts.push({ Type: "bind", Source: path, Target: target, ReadOnly: readOnly });
  switch (wish.type) {
    case "tmpfs": {
      // Programs are built there, and run.
      const options = { Options: [["exec"]], ...(wish.size === undefined ? {} : { SizeBytes: wish.size }) };
      mounts.push({ Type: "tmpfs", Target: target, TmpfsOptions: options });
      break;
    }
    case "bind": {
      const own = source && wish.readOnly ? ownDirectory(source.files) : null;
      if (source && own !== null) {
        bind(join(own, source.match.file.path), true);
        break;
      }
      const directory = await session.images.beginDirectory();
      undo.push(() => session.images.discard(directory));
      if (source) bind(await copyOut(session, source, directory), wish.readOnly);
      break;
    }
    case "cache": {
      const { uid, gid, sharing, mode = 0o755 } = wish;
      const fill = source ? (to: string) => fillCache(session, source, to) : undefined;
      const cache = await session.cacheMounts.acquire({
        id: `${session.request.buildArgs?.BUILDKIT_CACHE_MOUNT_NS ?? ""}${wish.id || target}`,
        sharing,
        uid,
        gid,
        mode,
        fill,
      });
      undo.push(() => cache.release());
      bind(cache.path, wish.readOnly);
      break;
    }
    case "secret":
      await prepareSecret(session, wish, { env, bind }, undo);
      break;
    case "ssh": {
      const { uid, gid, mode } = wish;
      const id = wish.id || "default";
      const agent = await listenForAgent(session.request.ssh, id, session.memory, { uid, gid, mode });
      if (!agent && wish.required) throw invalid(`unset ssh forward key ${id}: no such agent was offered`);
      if (!agent) break;
      undo.push(() => agent.close());
      bind(agent.path, false);
      env.push(`SSH_AUTH_SOCK=${target}`);
      break;
    }
  }
}

/** A directory that can be shown as it is: all of it is meant, root's, and nobody changes it. */
const ownDirectory = ({ files, ignored }: SourceFiles): string | null =>
  "directory" in files && files.unchangedSince === undefined && ignored.length === 0 ? files.directory : null;

/** The files as they are, in a directory of the step's own. */
async function copyOut(
  session: StepContext["session"],
  { files, match }: NonNullable<PlannedMount["source"]>,
  directory: string,
): Promise<string> {
  const isDirectory = match.file.kind === "directory";
  const lower = session.images.directories([]);
  const orders = [
    ...files.ignored.map((path) => ["x", path, ""] as const),
    [isDirectory ? "d" : "f", match.file.path, isDirectory ? "/" : "/file"] as const,
  ];
  const isOthers = "directory" in files.files && files.files.unchangedSince !== undefined;
  const owner = isOthers ? { uid: 0, gid: 0 } : undefined;
  await copyFiles(session.files, { lower, directory, source: files.files, orders, owner });
  return isDirectory ? `${directory}/fs` : `${directory}/fs/file`;
}

async function fillCache(
  session: StepContext["session"],
  source: NonNullable<PlannedMount["source"]>,
  to: string,
): Promise<void> {
  if (source.match.file.kind !== "directory") throw invalid("the source of a cache must be a directory");
  const orders = [["d", source.match.file.path, "/"]] as const;
  await copyFiles(session.files, { target: to, source: source.files.files, orders });
}

/** A secret is a file on a file system in memory, for as long as the step runs. */
async function prepareSecret(
  session: StepContext["session"],
  wish: MountWish,
  { env, bind }: { env: string[]; bind: (path: string, readOnly: boolean) => void },
  undo: (() => void | Promise<void>)[],
): Promise<void> {
  const id = wish.id || (wish.target.split("/").at(-1) ?? "");
  const value = await session.request.secrets?.read(id);
  if (value === undefined) {
    if (wish.required) throw invalid(`secret ${id}: not found`);
    return;
  }
  if (wish.env !== undefined) env.push(`${wish.env}=${value.toString("utf8")}`);
  if (wish.env !== undefined && wish.target === "") return;
  const { uid, gid, mode = 0o400 } = wish;
  bind(fileInMemory(session, value, { mode, uid, gid }, undo), true);
}

/** A file on a file system in memory, where it can be. */
function fileInMemory(
  { memory }: StepContext["session"],
  data: Buffer,
  { mode, uid, gid }: { mode: number; uid: number; gid: number },
  undo: (() => void | Promise<void>)[],
): string {
  const directory = join(memory, randomBytes(8).toString("hex"));
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "file");
  writeFileSync(file, data, { mode: 0o600 });
  chownSync(file, uid, gid);
  chmodSync(file, mode);
  return file;
}

/**
 * Takes the empty places that mounts needed out of what a step wrote: those that nothing below had. Nobody
 * writes there any more, so that looking is safe.
 */
export function removeMountPoints(upper: string, lower: readonly string[], targets: readonly string[]): void {
  for (const target of targets) {
    const parts = target.split("/").filter((part) => part !== "");
    for (; parts.length > 0; parts.pop()) {
      const path = ordinaryPath(upper, parts);
      if (path === null || lower.some((layer) => ordinaryPath(layer, parts) !== null)) break;
      const stat = lstatSync(path);
      if (stat.isDirectory() && readdirSync(path).length === 0) rmdirSync(path);
      else if (stat.isFile() && stat.size === 0) unlinkSync(path);
      else break;
    }
  }
}

/** A path of directories that are none of them links; null when it is not there so. */
function ordinaryPath(root: string, parts: readonly string[]): string | null {
  let path = root;
  for (const [index, part] of parts.entries()) {
    path = join(path, part);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat || (index < parts.length - 1 && !stat.isDirectory())) return null;
  }
  return path;
}
