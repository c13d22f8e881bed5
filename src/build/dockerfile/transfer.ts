import { type FlagValues, readFlags } from "./flags.ts";
import type { Transfer } from "./instruction.ts";
import { parseError } from "./location.ts";
import type { Statement } from "./statements.ts";
import { blankWords, jsonWords } from "./words.ts";

const common = {
  chown: "text",
  chmod: "text",
  link: "bool",
  exclude: "list",
} as const;

/** Reads COPY and ADD. Throws DockerfileError. */
export function parseTransfer(statement: Statement, _escape: string): Transfer {
  const { keyword, location, rest, heredocs } = statement;
  const flags = readFlags(
    statement,
    keyword === "COPY"
      ? { ...common, from: "text", parents: "bool" }
      : { ...common, checksum: "text", "keep-git-dir": "bool", unpack: "bool" },
  );
  const words = (jsonWords(rest) ?? blankWords(rest)).map(heredocName);
  const destination = words.pop();
  if (destination === undefined) throw parseError(location, `${keyword} requires at least two arguments`);
  if (words.length === 0) {
    throw parseError(
      location,
      `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined.`,
    );
  }
  return { sources: words, destination, heredocs, ...fromFlags(flags, statement) };
}

/** `<<EOF` however its name is quoted. */
const heredocName = (word: string): string => word.replace(/^<<-?["']?([^"']+)["']?$/, "<<$1");

function fromFlags(
  flags: FlagValues,
  { flags: given }: Statement,
): Omit<Transfer, "sources" | "destination" | "heredocs"> {
  const isGiven = (name: string): boolean => given.some((flag) => flag.name === name);
  return {
    from: flags.text("from"),
    chown: flags.text("chown"),
    chmod: flags.text("chmod"),
    link: flags.bool("link"),
    parents: flags.bool("parents"),
    exclude: flags.list("exclude"),
    checksum: flags.text("checksum"),
    ...(isGiven("keep-git-dir") ? { keepGitDir: flags.bool("keep-git-dir") } : {}),
    ...(isGiven("unpack") ? { unpack: flags.bool("unpack") } : {}),
  };
}
