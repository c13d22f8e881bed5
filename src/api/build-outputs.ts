import type { BuildOutput } from "../build/outputs/output.ts";
import { invalid } from "../lib/errors.ts";
import type { Query } from "./query.ts";

/** The options of each type that a client may give; what is done with the files is the client's own. */
const known: Record<string, readonly string[]> = {
  image: ["name", "push"],
  local: [],
  tar: [],
  oci: ["name", "compression"],
  docker: ["name", "compression"],
  // Where BuildKit has the cache apart: to a registry with a ref, else as an archive.
  cache: ["ref", "mode"],
};

/** Each has a channel of the answer. */
const maxOutputs = 100;

const packings = { gzip: "gzip", zstd: "zstd", uncompressed: "plain" } as const;

/** The `outputs` of POST /build, as BuildKit's clients give them: [{"Type": …, "Attrs": {…}}]. */
export function buildOutputs(query: Query): BuildOutput[] {
  const text = query.text("outputs");
  if (text === undefined) return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`error reading outputs: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (!Array.isArray(value)) throw invalid("error reading outputs: not a list");
  if (value.length > maxOutputs) throw invalid(`more than ${maxOutputs} outputs`);
  return value.map(readOutput);
}

function readOutput(value: unknown): BuildOutput {
  const { Type: type = "", Attrs: attributes = {} } = record(value);
  const options = new Map(Object.entries(record(attributes)).map(([name, item]) => [name, String(item)]));
  const allowed = typeof type === "string" ? known[type] : undefined;
  if (!allowed)
    throw invalid(`unknown output type ${JSON.stringify(type)}: one of ${Object.keys(known).join(", ")}`);
  for (const name of options.keys())
    if (!allowed.includes(name)) throw invalid(`unknown option ${JSON.stringify(name)} of output ${type}`);
  const names = (options.get("name") ?? "").split(",").filter((name) => name !== "");
  if (type === "image") return { kind: "image", names, push: isTrue(options.get("push")) };
  if (type === "local" || type === "tar") return { kind: "files" };
  if (type === "cache") {
    const { mode = "min", ref } = Object.fromEntries(options);
    if (mode !== "min" && mode !== "max")
      throw invalid(`unknown cache mode ${JSON.stringify(mode)}: min or max`);
    return { kind: "cache", all: mode === "max", to: ref === undefined ? "archive" : { ref } };
  }
  const compression = options.get("compression") ?? "gzip";
  if (compression !== "gzip" && compression !== "zstd" && compression !== "uncompressed")
    throw invalid(`unknown compression ${JSON.stringify(compression)}: gzip, zstd or uncompressed`);
  return { kind: "layout", names, docker: type === "docker", compression: packings[compression] };
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("error reading outputs: not an object");
  return Object.fromEntries(Object.entries(value));
}

const isTrue = (text = "false"): boolean => {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw invalid(`invalid value ${JSON.stringify(text)}: true or false`);
};
