import { contextSource } from "../context/source.ts";
import { fileNameOf } from "../remote/download.ts";
import { checkedCommit } from "../remote/git-url.ts";
import type { RemoteSource } from "../remote/sources.ts";
import type { StepContext } from "../stage-build.ts";
import type { Found, Part } from "./transfer.ts";
import type { RemoteWord, Transfer } from "./transfer-words.ts";

/** A source of ADD that is fetched: a file, or a repository's tree. What it keeps is to be discarded. */
export async function openRemote(
  { remote, materials }: StepContext["session"],
  { destination, checksum, instruction }: Transfer,
  word: RemoteWord,
): Promise<Part & { discard: () => Promise<void> }> {
  if ("url" in word) {
    // Without a directory the destination is the name.
    const name = destination.endsWith("/") ? fileNameOf(word.url) : "file";
    const file = await remote.file(word.url, name, checksum);
    materials.add({ uri: withoutPassword(word.url), digest: file.digest });
    return toPart(file, `/${name}`, instruction.unpack === true);
  }
  const { git } = word;
  const keepGitDirectory = instruction.keepGitDir ?? git.keepGitDirectory;
  const commit = checksum === undefined ? git.commit : checkedCommit(checksum, word.written);
  const tree = await remote.git({ ...git, keepGitDirectory, commit });
  materials.add({ uri: `git+${withoutPassword(git.remote)}`, digest: tree.digest });
  return toPart(tree, "/", false);
}

const withoutPassword = (url: string): string => url.replace(/(:\/\/)[^/@\s]+@/, "$1");

function toPart(
  source: RemoteSource,
  path: string,
  unpack: boolean,
): Part & { discard: () => Promise<void> } {
  return {
    count: 1,
    identity: source.identity,
    unpack,
    discard: source.discard,
    async open() {
      const files = contextSource(await source.open());
      const matches = await files.match(path);
      return { source: files, matches: matches.map((match): Found => ({ ...match, pivot: "/" })) };
    },
  };
}
