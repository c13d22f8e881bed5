import type { ContainerSummary, ImageSummary, NetworkInspect, VolumeListResponse } from "@docker/node-sdk";
import type { Client } from "./client/client.ts";
import type { Command } from "./command.ts";
import { commands, type Entry } from "./commands.ts";
import type { Flag, FlagTable } from "./flags/flag.ts";
import { globalFlags } from "./global-flags.ts";
import type { MachineSummary } from "./machines/types.ts";

/** What a shell should offer for the last of `words`, which the person is typing; `:files` for file names. */
export async function complete(words: readonly string[], client: Client): Promise<string[]> {
  const typed = words.at(-1) ?? "";
  const found = await candidates(words.slice(0, -1), typed, client);
  return found[0] === ":files" ? found : found.filter((candidate) => candidate.startsWith(typed));
}

async function candidates(before: readonly string[], typed: string, client: Client): Promise<string[]> {
  let entry: Entry = { summary: "", children: commands };
  let command: Command | undefined;
  let table: FlagTable = globalFlags;
  let positionals = 0;
  let pending: Flag | undefined;
  for (const word of before) {
    if (pending) {
      pending = undefined;
    } else if (word.startsWith("-") && !(command?.flagsFirst && positionals > 0)) {
      const flag = findFlag(table, word);
      if (flag && flag.type !== "bool" && !word.includes("=")) pending = flag;
    } else if (entry.children) {
      const child: Entry | undefined = Object.hasOwn(entry.children, word) ? entry.children[word] : undefined;
      if (child === undefined) return [];
      entry = child;
      command = (await child.load?.())?.command;
      if (command) table = command.flags;
    } else {
      positionals++;
    }
  }
  if (pending) return await valuesOf(pending.completes, client);
  const [name, value] = typed.split("=", 2);
  if (value !== undefined && name?.startsWith("--")) {
    const flag = findFlag(table, name);
    return (await valuesOf(flag?.completes, client)).map((text) =>
      text === ":files" ? text : `${name}=${text}`,
    );
  }
  if (typed.startsWith("-")) return flagNames(table);
  if (entry.children)
    return Object.entries(entry.children)
      .filter(([, child]) => child.section !== "hidden")
      .map(([child]) => child);
  if (command?.flagsFirst && positionals > 0) return [":files"];
  return await valuesOf(command?.completes, client);
}

function findFlag(table: FlagTable, word: string): Flag | undefined {
  if (word.startsWith("--")) {
    const name = word.slice(2).split("=", 1)[0] ?? "";
    return Object.hasOwn(table, name) ? table[name] : undefined;
  }
  // The last of joined short flags is the one that may want a value.
  return Object.values(table).find((flag) => flag.short === word.at(-1));
}

function flagNames(table: FlagTable): string[] {
  return Object.entries(table)
    .filter(([, flag]) => !flag.hidden)
    .map(([name]) => `--${name}`);
}

async function valuesOf(kind: Flag["completes"] | Command["completes"], client: Client): Promise<string[]> {
  if (typeof kind === "object") return [...kind];
  switch (kind) {
    case "file":
      return [":files"];
    case "container": {
      const list = await client.json<ContainerSummary[]>("GET", "/containers/json", { query: { all: 1 } });
      return list.flatMap(({ Names }) => (Names ?? []).map((name) => name.slice(1)));
    }
    case "image": {
      const list = await client.json<ImageSummary[]>("GET", "/images/json");
      return list.flatMap(({ RepoTags }) => RepoTags ?? []);
    }
    case "network": {
      const list = await client.json<NetworkInspect[]>("GET", "/networks");
      return list.map(({ Name }) => Name ?? "");
    }
    case "machine": {
      const list = await client.json<MachineSummary[]>("GET", "/berth/machines");
      return list.filter(({ Kind }) => Kind === "machine").map(({ Name }) => Name);
    }
    case "volume": {
      const { Volumes } = await client.json<VolumeListResponse>("GET", "/volumes");
      return (Volumes ?? []).map(({ Name }) => Name);
    }
    default:
      return [];
  }
}
