import { resolveUser } from "../../engine/spec/user.ts";
import { invalid } from "../../lib/errors.ts";
import type { FileWorker } from "../../lib/file-worker.ts";
import { ignores } from "../../lib/ignore.ts";
import type { IndexedFile } from "../context/file-index.ts";
import { type CopyOrder, copyFiles } from "../context/files.ts";
import type { SourceFiles, SourceMatch } from "../context/source.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { parseError } from "../dockerfile/location.ts";
import { expandAt } from "../plan.ts";
import type { StepContext, StepResult } from "../stage-build.ts";
import { addArchive, isArchive } from "./archive.ts";
import { type ModeChange, parseChmod } from "./chmod.ts";
import { documentSource } from "./documents.ts";
import { layerStep } from "./outcome.ts";

type TransferInstruction = Instruction & { kind: "copy" | "add" };

/** A COPY or ADD with its words ready. */
interface Transfer {
  instruction: TransferInstruction;
  name: "COPY" | "ADD";
  sources: string[];
  /** Absolute; with a slash at its end when it must be a directory. */
  destination: string;
  exclude: string[];
  owner: { uid: number; gid: number } | undefined;
  mode: ModeChange | undefined;
}

/** Files of one source that go to the destination. */
interface Part {
  source: SourceFiles;
  matches: SourceMatch[];
}

/** COPY and ADD of local files. */
export async function transferStep(context: StepContext, instruction: TransferInstruction): StepResult {
  const transfer = prepare(context, instruction);
  const { session, info, stage } = context;
  const documents = instruction.heredocs.length === 0 ? null : await session.images.beginDirectory();
  try {
    const parts: Part[] = [];
    const plain = transfer.sources.filter((word) => !word.startsWith("<<"));
    if (plain.length > 0) {
      const source = await session.source(instruction.from, stage, instruction.location);
      parts.push({ source, matches: await findSources(transfer, source, plain) });
    }
    if (documents) {
      const source = await documentSource(context, instruction, `${documents}/fs`);
      const names = transfer.sources.filter((word) => word.startsWith("<<"));
      parts.push({
        source,
        matches: await findSources(
          transfer,
          source,
          names.map((name) => `/${name.slice(2)}`),
        ),
      });
    }
    checkDestination(transfer, parts);
    return await layerStep(
      context,
      {
        kind: instruction.kind,
        createdBy: info.text,
        inputs: inputsOf(transfer, parts),
        standsAlone: instruction.link,
      },
      (directory) => fill(context, transfer, parts, directory),
    );
  } finally {
    if (documents) await session.images.discard(documents);
  }
}

function prepare(context: StepContext, instruction: TransferInstruction): Transfer {
  const { session, state } = context;
  const expand = (text: string): string =>
    expandAt(instruction.location, text, state.lookup, session.plan.dockerfile.escapeToken);
  const written = expand(instruction.destination);
  const isDirectory = /(^|\/)\.{0,2}$/.test(written);
  const destination = state.absolute(written);
  const name = instruction.kind === "copy" ? "COPY" : "ADD";
  const chown = instruction.chown && expand(instruction.chown);
  const layers = session.images.directories(state.layers);
  const sources = instruction.sources.map((word) => (word.startsWith("<<") ? word : expand(word)));
  const remote = name === "ADD" && sources.find((word) => /^(https?|ftp|git|ssh):\/\/|^git@/.test(word));
  if (remote)
    throw parseError(instruction.location, `cannot add ${remote}: only files of the context can be added`);
  return {
    instruction,
    name,
    sources,
    destination: isDirectory && destination !== "/" ? `${destination}/` : destination,
    exclude: instruction.exclude.map(expand),
    // What comes from other images keeps its owner.
    owner: chown ? ownerOf(chown, layers) : instruction.from === undefined ? { uid: 0, gid: 0 } : undefined,
    mode: instruction.chmod ? parseChmod(expand(instruction.chmod)) : undefined,
  };
}

/** --chown: a user alone means the group of the same name or number. */
function ownerOf(text: string, layers: readonly string[]): { uid: number; gid: number } {
  const [user = "", group] = text.split(":");
  const { uid, gid } = resolveUser(layers, group === undefined ? `${user}:${user}` : text);
  return { uid, gid };
}

async function findSources(
  { name, instruction }: Transfer,
  source: SourceFiles,
  words: readonly string[],
): Promise<SourceMatch[]> {
  const found: SourceMatch[] = [];
  for (const word of words) {
    const clean = cleanSource(word, name);
    const matches = await source.match(clean);
    if (matches.length === 0) {
      const where =
        instruction.from === undefined
          ? "file not found in build context or excluded by .dockerignore: "
          : "";
      if (/[*?[]/.test(word)) throw invalid(`${name} failed: no source files were specified`);
      throw invalid(`${name} failed: ${where}stat ${word.replace(/^\/+/, "")}: file does not exist`);
    }
    found.push(...matches);
  }
  return found;
}

/** Absolute within its root. Throws for what is meant to lead out of it. */
function cleanSource(word: string, name: string): string {
  const parts: string[] = [];
  for (const part of word.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined)
        throw invalid(`${name} failed: forbidden path outside the build context: ${word} ()`);
    } else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function checkDestination({ name, destination, sources }: Transfer, parts: readonly Part[]): void {
  const count = parts.reduce((sum, { matches }) => sum + matches.length, 0);
  const several = count > 1 || sources.length > 1;
  if (several && !destination.endsWith("/")) {
    throw invalid(
      `When using ${name} with more than one source file, the destination must be a directory and end with a /`,
    );
  }
}

/** All that the outcome depends on: names, kinds and contents of files, not their times. */
function inputsOf(transfer: Transfer, parts: readonly Part[]): unknown {
  const { instruction, destination, owner, mode, exclude, name } = transfer;
  const { parents, link, unpack } = instruction;
  return {
    name,
    destination,
    owner,
    mode,
    exclude,
    parents,
    link,
    unpack,
    files: parts.flatMap(({ matches }) =>
      matches.map(({ path, file, tree }) => [
        parents || file.kind !== "directory" ? path : "",
        tree.map((entry) => describe(entry, file.path, owner === undefined)),
      ]),
    ),
  };
}

function describe(file: IndexedFile, root: string, owners: boolean): unknown[] {
  const { kind, mode, uid, gid, size, digest, target, capability, device } = file;
  return [
    file.path.slice(root === "/" ? 0 : root.length),
    kind,
    mode,
    size,
    digest ?? target ?? device,
    capability,
    ...(owners ? [uid, gid] : []),
  ];
}

async function fill(
  { session, state }: StepContext,
  transfer: Transfer,
  parts: readonly Part[],
  directory: string,
): Promise<void> {
  const { owner, mode, instruction, destination } = transfer;
  const lower = instruction.link ? session.images.directories([]) : session.images.directories(state.layers);
  for (const { source, matches } of parts) {
    const archives =
      instruction.kind === "add" ? await archivesOf(session.files, source, matches, instruction.unpack) : [];
    const plain = matches.filter((match) => !archives.includes(match));
    const orders = ordersFor(transfer, source, plain);
    if (archives.length > 0) orders.push(["m", "", destination]);
    await copyFiles(session.files, { lower, directory, source: source.files, orders, owner, mode });
    for (const { file } of archives)
      await addArchive({
        worker: session.files,
        source: source.files,
        path: file.path,
        lower,
        directory,
        destination,
        owner: instruction.chown ? owner : undefined,
      });
  }
}

async function archivesOf(
  worker: FileWorker,
  source: SourceFiles,
  matches: SourceMatch[],
  unpack = true,
): Promise<SourceMatch[]> {
  const found: SourceMatch[] = [];
  for (const match of matches) {
    if (unpack && match.file.kind === "file" && (await isArchive(worker, source.files, match.file)))
      found.push(match);
  }
  return found;
}

function ordersFor(
  { destination, exclude, instruction }: Transfer,
  source: SourceFiles,
  matches: SourceMatch[],
): CopyOrder[] {
  const excluded = new Set(source.ignored);
  const orders: CopyOrder[] = [];
  const isExcluded = ignores(exclude);
  for (const { path, file, tree } of matches) {
    const root = file.kind === "directory" ? file.path : file.path.slice(0, file.path.lastIndexOf("/"));
    const skip = tree.filter((entry) => isExcluded(entry.path.slice(root === "/" ? 0 : root.length)));
    for (const entry of skip) excluded.add(entry.path);
    if (file.kind !== "directory" && skip.length > 0) continue;
    const target = instruction.parents
      ? withParents(destination, path, file.kind === "directory")
      : destination;
    orders.push([file.kind === "directory" ? "d" : "f", path, target]);
  }
  return [...[...excluded].map((path): CopyOrder => ["x", path, ""]), ...orders];
}

/** --parents: the directories of the source are made again below the destination. */
function withParents(destination: string, path: string, isDirectory: boolean): string {
  const base = destination.replace(/\/$/, "");
  return isDirectory ? `${base}${path}` : `${base}${path.slice(0, path.lastIndexOf("/"))}/`;
}
