import { tarEnd } from "../../lib/tar/write.ts";
import { fs } from "../builtin.ts";
import type { Client } from "../client/client.ts";
import { packFiles } from "../copy/pack.ts";
import { parseCsv } from "../create/csv.ts";
import { CliError, errorMessage } from "../errors.ts";
import { err } from "../io/output.ts";
import { jsonTexts, type ProgressMessage } from "../io/progress.ts";
import type { WantedOutput } from "./outputs.ts";

/** Where outcomes of steps come from and go to. */
export interface CacheWishes {
  outputs: WantedOutput[];
  inline: boolean;
  /** Images with caches, by their names or ids. */
  from: string[];
  /** Takes away what was only brought here for this build. */
  close(): Promise<void>;
}

/** Reads `--cache-to` and `--cache-from`, and brings local caches to the daemon. Throws `CliError`. */
export async function openCaches(
  client: Client,
  to: readonly string[],
  from: readonly string[],
): Promise<CacheWishes> {
  const wishes: CacheWishes = { outputs: [], inline: false, from: [], close: async () => undefined };
  for (const text of to) addTarget(wishes, readOptions(text), text);
  const brought: string[] = [];
  for (const text of from) {
    const options = readOptions(text);
    if (options.get("type") === "registry") wishes.from.push(needed(options, "ref", text));
    else if (options.get("type") === "local")
      brought.push(...(await bring(client, needed(options, "src", text))));
    else throw unknownType(options, text);
  }
  wishes.from.push(...brought);
  wishes.close = async () => {
    for (const id of brought) await client.request("DELETE", `/images/${encodeURIComponent(id)}`);
  };
  return wishes;
}

/** A name alone is that of an image in a registry. */
function readOptions(text: string): Map<string, string> {
  if (!text.includes("="))
    return new Map([
      ["type", "registry"],
      ["ref", text],
    ]);
  return new Map(
    parseCsv(text).map((field) => {
      const equals = field.indexOf("=");
      if (equals < 0) throw new CliError(`invalid value ${field}: must be a key=value pair`);
      return [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
}

function needed(options: Map<string, string>, name: string, text: string): string {
  const value = options.get(name);
  if (!value) throw new CliError(`a cache needs ${name}: ${text}`);
  return value;
}

const unknownType = (options: Map<string, string>, text: string): CliError =>
  new CliError(
    `unknown cache type ${JSON.stringify(options.get("type") ?? "")} in ${text}: inline, local or registry`,
  );

function addTarget(wishes: CacheWishes, options: Map<string, string>, text: string): void {
  const mode: Record<string, string> = options.has("mode") ? { mode: options.get("mode") ?? "" } : {};
  const common = { type: "cache", annotations: [] };
  switch (options.get("type")) {
    case "inline":
      wishes.inline = true;
      break;
    case "registry": {
      const ref = needed(options, "ref", text);
      wishes.outputs.push({ ...common, attributes: { ...mode, ref }, destination: null });
      break;
    }
    case "local": {
      const path = needed(options, "dest", text);
      wishes.outputs.push({ ...common, attributes: mode, destination: { kind: "directory", path } });
      break;
    }
    default:
      throw unknownType(options, text);
  }
}

/** Loads a cache from a directory; a build can do without one that is not there. */
async function bring(client: Client, path: string): Promise<string[]> {
  if (!fs.existsSync(`${path}/index.json`)) {
    err(`no cache from ${path}: it has no index.json\n`);
    return [];
  }
  const archive = (async function* (): AsyncGenerator<Buffer> {
    yield* packFiles(path, { excludes: () => false, mayHold: false });
    yield tarEnd;
  })();
  const ids: string[] = [];
  try {
    const { body } = await client.request("POST", "/images/load", { query: { quiet: 1 }, body: archive });
    for await (const line of jsonTexts(body)) {
      const { error, stream = "" } = JSON.parse(line) as ProgressMessage;
      if (error !== undefined) throw new CliError(error);
      const id = /^Loaded image ID: (\S+)/.exec(stream)?.[1];
      if (id) ids.push(id);
    }
  } catch (error) {
    err(`no cache from ${path}: ${errorMessage(error)}\n`);
  }
  return ids;
}
