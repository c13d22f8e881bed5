import { parseBytes } from "../../lib/bytes.ts";
import { DockerfileError, type Location } from "../dockerfile/location.ts";

export type Sharing = "shared" | "private" | "locked";

/** A `RUN --mount=`, as it is asked for. */
export interface MountWish {
  type: "bind" | "cache" | "tmpfs" | "secret" | "ssh";
  /** Empty for the default of a secret and for one that is only a variable. */
  target: string;
  source: string;
  from: string | undefined;
  readOnly: boolean;
  id: string;
  sharing: Sharing;
  /** Octal. */
  mode: number | undefined;
  uid: number;
  gid: number;
  required: boolean;
  /** Bytes of a tmpfs. */
  size: number | undefined;
  /** The variable that a secret becomes. */
  env: string | undefined;
}

const names: Record<string, string> = {
  dst: "target",
  destination: "target",
  src: "source",
  ro: "readonly",
  rw: "readwrite",
};
const known: Record<MountWish["type"], readonly string[]> = {
  bind: ["target", "source", "from", "readwrite", "readonly"],
  cache: ["target", "source", "from", "readonly", "readwrite", "id", "sharing", "mode", "uid", "gid"],
  tmpfs: ["target", "size"],
  secret: ["target", "id", "source", "required", "mode", "uid", "gid", "env"],
  ssh: ["target", "id", "required", "mode", "uid", "gid"],
};

/** Reads a mount's words: comma-separated, `type` first or anywhere, bind by default. Throws DockerfileError. */
export function parseMountWish(text: string, location: Location): MountWish {
  const fail = (message: string): never => {
    throw new DockerfileError(message, location);
  };
  const fields = new Map<string, string>();
  for (const part of fieldsOf(text)) {
    const equals = part.indexOf("=");
    const written = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    const isSwitch = ["ro", "rw", "readonly", "readwrite", "required"].includes(written);
    if (equals < 0 && !isSwitch) fail(`invalid field '${part}' must be a key=value pair`);
    fields.set(names[written] ?? written, equals < 0 ? "true" : part.slice(equals + 1));
  }
  const type = fields.get("type") ?? "bind";
  if (!isType(type)) return fail(`unsupported mount type "${type}"`);
  fields.delete("type");
  for (const key of fields.keys())
    if (!known[type].includes(key)) fail(`unexpected key '${key}' in '${text}'`);
  return complete(type, fields, fail);
}

/** Split at commas outside of double quotes, as a line of a CSV file. */
const fieldsOf = (text: string): string[] =>
  [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain = ""]) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'),
  );

const isType = (text: string): text is MountWish["type"] => Object.hasOwn(known, text);

function complete(
  type: MountWish["type"],
  fields: ReadonlyMap<string, string>,
  fail: (message: string) => never,
): MountWish {
  const isOn = (name: string): boolean => {
    const value = fields.get(name)?.toLowerCase();
    return value === "true" || value === "1";
  };
  const number = (name: string, base: 8 | 10): number | undefined => {
    const value = fields.get(name);
    if (value === undefined) return undefined;
    if (!(base === 8 ? /^0?[0-7]{1,4}$/ : /^\d{1,10}$/).test(value))
      return fail(`invalid value for ${name}: ${value}`);
    return Number.parseInt(value, base);
  };
  const target = fields.get("target") ?? "";
  const env = fields.get("env");
  if (target === "" && type !== "secret" && type !== "ssh") fail("invalid mount: target is required");
  const sharing = fields.get("sharing") ?? "shared";
  if (sharing !== "shared" && sharing !== "private" && sharing !== "locked")
    return fail(`unsupported sharing value "${sharing}"`);
  const id = fields.get("id") ?? "";
  if (type === "secret" && id === "" && target === "") fail("one of source, target required");
  const size = fields.get("size");
  return {
    type,
    target,
    source: fields.get("source") ?? "",
    from: fields.get("from"),
    readOnly: type === "bind" ? !isOn("readwrite") && fields.get("readonly") !== "false" : isOn("readonly"),
    id: id || fields.get("source") || "",
    sharing,
    mode: number("mode", 8),
    uid: number("uid", 10) ?? 0,
    gid: number("gid", 10) ?? 0,
    required: isOn("required"),
    size: size === undefined ? undefined : parseBytes(size),
    env,
  };
}
