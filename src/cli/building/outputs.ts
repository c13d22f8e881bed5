import { tty } from "../builtin.ts";
import { parseCsv } from "../create/csv.ts";
import { CliError, errorMessage } from "../errors.ts";

/** What a build is to give, and where this side puts it. */
export interface WantedOutput {
  /** As the daemon is asked for it. */
  type: string;
  attributes: Record<string, string>;
  /** Annotations that belong to it, as `--annotation` has them. */
  annotations: string[];
  /** Null for what stays in the daemon. */
  destination: OutputDestination | null;
}

export type OutputDestination =
  | { kind: "directory"; path: string }
  /** "" for standard output. */
  | { kind: "file"; path: string };

/** Reads `-o`: `type=…,dest=…`, a directory, or `-` for an archive on standard output. Throws `CliError`. */
export function parseOutput(text: string): WantedOutput {
  const options = readOptions(text);
  const type = options.get("type") ?? "";
  const destination = options.get("dest");
  const unpacked = options.get("tar") === "false";
  for (const name of ["type", "dest", "tar"]) options.delete(name);
  const annotations: string[] = [];
  for (const [name, value] of options) {
    const parts = /^annotation(?:-([a-z-]+))?(\[[^\]]*\])?\.(.+)$/.exec(name);
    if (!parts) continue;
    annotations.push(`${parts[1] ?? "manifest"}${parts[2] ?? ""}:${parts[3]}=${value}`);
    options.delete(name);
  }
  const wanted = { type, attributes: Object.fromEntries(options), annotations };
  switch (type) {
    case "local":
      if (!destination) throw new CliError("dest is required for local output");
      return { ...wanted, destination: { kind: "directory", path: destination } };
    case "tar":
    case "oci":
      return { ...wanted, destination: archiveDestination(type, destination, unpacked) };
    case "docker":
      if (destination === undefined) return { ...wanted, type: "image", destination: null };
      return { ...wanted, destination: archiveDestination(type, destination, unpacked) };
    case "registry":
      return {
        ...wanted,
        type: "image",
        attributes: { ...wanted.attributes, push: "true" },
        destination: null,
      };
    case "image":
      return { ...wanted, destination: null };
    case "":
      throw new CliError(`type is required for output: ${text}`);
    default:
      throw new CliError(
        `unknown output type ${JSON.stringify(type)}: one of docker, image, local, oci, registry, tar`,
      );
  }
}

function readOptions(text: string): Map<string, string> {
  if (text === "-")
    return new Map([
      ["type", "tar"],
      ["dest", "-"],
    ]);
  let fields: string[];
  try {
    fields = parseCsv(text);
  } catch (error) {
    throw new CliError(`invalid output ${JSON.stringify(text)}: ${errorMessage(error)}`);
  }
  const [first = ""] = fields;
  if (fields.length === 1 && first === text && !text.startsWith("type=")) {
    return new Map([
      ["type", "local"],
      ["dest", text],
    ]);
  }
  return new Map(
    fields.map((field) => {
      const equals = field.indexOf("=");
      if (equals < 0) throw new CliError(`invalid value ${field}: must be a key=value pair`);
      return [field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1)];
    }),
  );
}

function archiveDestination(type: string, path: string | undefined, unpacked: boolean): OutputDestination {
  if (unpacked) {
    if (path === undefined || path === "-")
      throw new CliError(`dest is required for ${type} output with tar=false`);
    return { kind: "directory", path };
  }
  if (path !== undefined && path !== "-") return { kind: "file", path };
  if (tty.isatty(1))
    throw new CliError(`dest file is required for ${type} output: refusing to write to a terminal`);
  return { kind: "file", path: "" };
}
