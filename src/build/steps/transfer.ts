import { invalid, system } from "../../lib/errors.ts";
import { FileWorkError, type FileWorker } from "../../lib/file-worker.ts";
import { hasWildcard } from "../../lib/glob.ts";
import { ignores } from "../../lib/ignore.ts";
import { type CopyOrder, copyFiles, type Modes } from "../context/files.ts";
import { identityOf } from "../context/identity.ts";
import type { SourceFiles, SourceMatch } from "../context/source.ts";
import { keyOf } from "../key.ts";
import type { StepContext, StepResult } from "../stage-build.ts";
import { addArchive, isArchive } from "./archive.ts";
import { changeMode, type ModeChange } from "./chmod.ts";
import { documentSource } from "./documents.ts";
import { layerStep } from "./outcome.ts";
import { openRemote } from "./remote.ts";
import { cleanSource, readTransfer, type Transfer, type TransferInstruction } from "./transfer-words.ts";

/** What a source word has led to. */
export interface Found extends SourceMatch {
  /** What `--parents` leaves out of the path. */
  pivot: string;
}

/** Files of one source that go to the destination. */
export interface Part {
  /** How many words it is of. */
  count: number;
  /** What decides what they are: their contents, or a name for them. */
  identity: unknown;
  /** Whether archives among them are unpacked. */
  unpack: boolean;
  /** Finds the files; they may have to be fetched first. */
  open(): Promise<{ source: SourceFiles; matches: Found[] }>;
}

/** COPY and ADD. */
export async function transferStep(context: StepContext, instruction: TransferInstruction): StepResult {
  const transfer = readTransfer(context, instruction);
  const undo: (() => Promise<void>)[] = [];
  try {
    const parts = await partsOf(context, transfer, undo);
    checkDestination(transfer, parts);
    const files = keyOf(parts.map(({ identity }) => identity));
    if (instruction.from === undefined && transfer.sources.length > 0)
      context.session.materials.addFiles(files);
    return await layerStep(
      context,
      {
        kind: instruction.kind,
        createdBy: context.info.text,
        inputs: inputsOf(transfer, files),
        standsAlone: instruction.link,
      },
      (directory) => fill(context, transfer, parts, directory),
    );
  } catch (error) {
    if (error instanceof FileWorkError)
      throw system(
        `${transfer.name} failed: ${error.entry ? `${error.entry}: ` : ""}${error.message}`,
        error,
      );
    throw error;
  } finally {
    for (const step of undo) await step();
  }
}

async function partsOf(
  context: StepContext,
  transfer: Transfer,
  undo: (() => Promise<void>)[],
): Promise<Part[]> {
  const { session, stage } = context;
  const { instruction, sources, documents, remote } = transfer;
  const parts: Part[] = [];
  if (sources.length > 0) {
    const source = await session.source(instruction.from, stage, instruction.location);
    parts.push(localPart(transfer, source, await findSources(transfer, source, sources)));
  }
  if (documents.length > 0) {
    const directory = await session.images.beginDirectory();
    undo.push(() => session.images.discard(directory));
    const source = await documentSource(context, instruction, `${directory}/fs`);
    const names = documents.map((name) => `/${name.slice(2)}`);
    parts.push(localPart(transfer, source, await findSources(transfer, source, names)));
  }
  for (const word of remote) {
    const part = await openRemote(session, transfer, word);
    undo.push(part.discard);
    parts.push(part);
  }
  return parts;
}

function localPart({ instruction, owner }: Transfer, source: SourceFiles, matches: Found[]): Part {
  const { parents } = instruction;
  return {
    count: matches.length,
    unpack: instruction.kind === "add" && instruction.unpack !== false,
    identity: matches.map(({ path, file, tree, pivot }) => [
      parents || file.kind !== "directory" ? path : "",
      ...(parents && pivot !== "/" ? [pivot] : []),
      identityOf(tree, file.path, owner === undefined),
    ]),
    open: async () => ({ source, matches }),
  };
}

async function findSources(
  { name, instruction }: Transfer,
  source: SourceFiles,
  words: readonly string[],
): Promise<Found[]> {
  const found: Found[] = [];
  for (const word of words) {
    const { path, pivot } = cleanSource(word, name);
    const matches = await source.match(path, instruction.parents);
    // A pattern may match nothing, but not all of them.
    if (matches.length === 0 && !hasWildcard(word)) {
      const where =
        instruction.from === undefined
          ? "file not found in build context or excluded by .dockerignore: "
          : "";
      throw invalid(`${name} failed: ${where}stat ${word.replace(/^\/+/, "")}: file does not exist`);
    }
    found.push(...matches.map((match) => ({ ...match, pivot })));
  }
  return found;
}

function checkDestination({ name, destination, instruction }: Transfer, parts: readonly Part[]): void {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  if (count === 0) throw invalid(`${name} failed: no source files were specified`);
  if ((count > 1 || instruction.sources.length > 1) && !destination.endsWith("/")) {
    throw invalid(
      `When using ${name} with more than one source file, the destination must be a directory and end with a /`,
    );
  }
}

/** All that the outcome depends on: names, kinds and contents of files, not their times. */
function inputsOf(transfer: Transfer, files: string): unknown {
  const { instruction, destination, owner, mode, exclude, name } = transfer;
  const { parents, link, unpack } = instruction;
  return { name, destination, owner, mode, exclude, parents, link, unpack, files };
}

async function fill(
  { session, state }: StepContext,
  transfer: Transfer,
  parts: readonly Part[],
  directory: string,
): Promise<void> {
  const { owner, mode, instruction, destination } = transfer;
  const lower = instruction.link ? session.images.directories([]) : session.images.directories(state.layers);
  for (const part of parts) {
    const { source, matches } = await part.open();
    const archives = part.unpack ? await archivesOf(session.files, source, matches) : [];
    const plain = matches.filter((match) => !archives.includes(match));
    const orders = ordersFor(transfer, source, plain);
    if (archives.length > 0) orders.push(["m", "", destination]);
    const modes = mode && changedModes(mode, plain);
    await copyFiles(session.files, { lower, directory, source: source.files, orders, owner, modes });
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

function changedModes(change: ModeChange, matches: readonly Found[]): Modes {
  const directories = new Map<number, number>();
  const files = new Map<number, number>();
  for (const { tree } of matches) {
    for (const { kind, mode } of tree) {
      const known = kind === "directory" ? directories : files;
      if (!known.has(mode)) known.set(mode, changeMode(change, mode, kind === "directory"));
    }
  }
  return { directories, files };
}

async function archivesOf(worker: FileWorker, source: SourceFiles, matches: Found[]): Promise<Found[]> {
  const found: Found[] = [];
  for (const match of matches) {
    if (match.file.kind === "file" && (await isArchive(worker, source.files, match.file))) found.push(match);
  }
  return found;
}

function ordersFor(
  { destination, exclude, instruction }: Transfer,
  source: SourceFiles,
  matches: Found[],
): CopyOrder[] {
  const excluded = new Set(source.ignored);
  const orders: CopyOrder[] = [];
  const isExcluded = ignores(exclude);
  for (const match of matches) {
    const { path, file, tree } = match;
    const root = file.kind === "directory" ? file.path : file.path.slice(0, file.path.lastIndexOf("/"));
    const skip = tree.filter((entry) => isExcluded(entry.path.slice(root === "/" ? 0 : root.length)));
    for (const entry of skip) excluded.add(entry.path);
    if (file.kind !== "directory" && skip.length > 0) continue;
    const target = instruction.parents ? withParents(destination, match) : destination;
    orders.push([file.kind === "directory" ? "d" : "f", path, target]);
  }
  return [...[...excluded].map((path): CopyOrder => ["x", path, ""]), ...orders];
}

/** --parents: the directories of the source are made again below the destination. */
function withParents(destination: string, { path, file, pivot }: Found): string {
  const base = destination.replace(/\/$/, "");
  const below = pivot === "/" ? path : path.slice(pivot.length);
  return file.kind === "directory" ? `${base}${below}` : `${base}${below.slice(0, below.lastIndexOf("/"))}/`;
}
