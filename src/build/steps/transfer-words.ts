import { resolveUser } from "../../engine/spec/user.ts";
import { BerthError, invalid } from "../../lib/errors.ts";
import { cleanPattern } from "../../lib/ignore.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { DockerfileError, type Location } from "../dockerfile/location.ts";
import { expandAt } from "../plan.ts";
import { checkedDigest } from "../remote/download.ts";
import { type GitSource, parseGitUrl } from "../remote/git-url.ts";
import type { StepContext } from "../stage-build.ts";
import { type ModeChange, parseChmod } from "./chmod.ts";

export type TransferInstruction = Instruction & { kind: "copy" | "add" };

/** A source that is fetched. */
export type RemoteWord = { url: string } | { git: GitSource; written: string };

/** A COPY or ADD with its words ready. */
export interface Transfer {
  instruction: TransferInstruction;
  name: "COPY" | "ADD";
  /** Of the context or of what `--from` names. */
  sources: string[];
  documents: string[];
  remote: RemoteWord[];
  /** Absolute; with a slash at its end when it must be a directory. */
  destination: string;
  exclude: string[];
  owner: { uid: number; gid: number } | undefined;
  mode: ModeChange | undefined;
  checksum: string | undefined;
}

/** Replaces variables, and takes the words apart. */
export function readTransfer(context: StepContext, instruction: TransferInstruction): Transfer {
  const { session, state } = context;
  const { location } = instruction;
  const expand = (text: string): string =>
    expandAt(location, text, state.lookup, session.plan.dockerfile.escapeToken);
  const written = expand(instruction.destination);
  const isDirectory = /(^|\/)\.{0,2}$/.test(written);
  const destination = state.absolute(written);
  const chown = instruction.chown && expand(instruction.chown);
  const layers = session.images.directories(state.layers);
  const isDocument = (word: string): boolean =>
    word.startsWith("<<") && instruction.heredocs.some(({ name }) => word === `<<${name}`);
  const words = instruction.sources.filter((word) => !isDocument(word)).map(expand);
  const remote = words.map((word) => (instruction.kind === "add" ? remoteWord(word) : undefined));
  const checksum = instruction.checksum && expand(instruction.checksum);
  const transfer: Transfer = {
    instruction,
    name: instruction.kind === "copy" ? "COPY" : "ADD",
    sources: words.filter((_, index) => remote[index] === undefined),
    documents: instruction.sources.filter(isDocument),
    remote: remote.filter((word) => word !== undefined),
    destination: isDirectory && destination !== "/" ? `${destination}/` : destination,
    exclude: instruction.exclude.map((text) => cleanPattern(expand(text))),
    // What comes from other images keeps its owner.
    owner: chown ? ownerOf(chown, layers) : instruction.from === undefined ? { uid: 0, gid: 0 } : undefined,
    mode: instruction.chmod ? parseChmod(expand(instruction.chmod)) : undefined,
    checksum: checksum || undefined,
  };
  checkFlags(transfer, location);
  return transfer;
}

function remoteWord(word: string): RemoteWord | undefined {
  const git = parseGitUrl(word);
  if (git) return { git, written: word };
  if (/^https?:\/\//.test(word) && URL.canParse(word)) return { url: word };
  if (/^ftp:\/\//.test(word)) throw invalid(`cannot add ${word}: only http and https are supported`);
  return undefined;
}

function checkFlags(
  { instruction, remote, sources, documents, checksum }: Transfer,
  location: Location,
): void {
  const isOne = sources.length + documents.length === 0 && remote.length === 1;
  if (checksum !== undefined) {
    if (!isOne) throw new DockerfileError("checksum can't be specified for non-HTTP(S) sources", location);
    if (remote[0] && "url" in remote[0]) checkedDigest(checksum);
  }
  if (instruction.keepGitDir !== undefined && !remote.some((word) => "git" in word))
    throw new DockerfileError("keep-git-dir can only be specified for git sources", location);
}

/** --chown: a user alone means the group of the same name or number. */
function ownerOf(text: string, layers: readonly string[]): { uid: number; gid: number } {
  const [user = "", group = user] = text.split(":");
  try {
    const { uid, gid } = resolveUser(layers, `${user}:${group}`);
    return { uid, gid };
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    const isGroup = /group/.test(error.message);
    const reason = isGroup
      ? `can't find gid for group ${group}: no such group: ${group}`
      : `can't find uid for user ${user}: no such user: ${user}`;
    throw invalid(`unable to convert uid/gid chown string to host mapping: ${reason}`, error);
  }
}

/**
 * A source as an absolute path within its root, and what `--parents` leaves out of it: what is before `/./`.
 * Throws for what is meant to lead out.
 */
export function cleanSource(word: string, name: string): { path: string; pivot: string } {
  const parts: string[] = [];
  let pivot = "/";
  for (const [index, part] of word.split("/").entries()) {
    if (part === "..") {
      if (parts.pop() === undefined)
        throw invalid(`${name} failed: forbidden path outside the build context: ${word} ()`);
    } else if (part === "." && index > 0) pivot = `/${parts.join("/")}`;
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return { path: `/${parts.join("/")}`, pivot };
}
