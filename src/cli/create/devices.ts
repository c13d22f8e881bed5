import { posix } from "node:path";
import type { DeviceMapping } from "@docker/node-sdk";
import { fs } from "../builtin.ts";
import { CliError } from "../errors.ts";

/** Reads `--device`: `/dev/x[:/dev/y][:rwm]`; a source that ends in `*` is a pattern. Throws `CliError`. */
export function parseDevice(spec: string): DeviceMapping[] {
  const parts = spec.split(":");
  const [source = "", second, third] = parts;
  if (parts.length > 3 || source === "") throw new CliError(`bad format for path: ${spec}`);
  let target = "";
  let permissions = "rwm";
  if (second !== undefined) {
    if (isMode(second) && third === undefined) permissions = second;
    else target = second;
  }
  if (third !== undefined) {
    if (!isMode(third)) throw new CliError(`bad mode specified: ${third}`);
    permissions = third;
  }
  const inside = target || source;
  if (!posix.isAbsolute(inside)) throw new CliError(`${inside} is not an absolute path`);
  if (!source.endsWith("*"))
    return [{ PathOnHost: source, PathInContainer: posix.normalize(inside), CgroupPermissions: permissions }];
  if (target !== "") throw new CliError(`device with * suffix can't have dst: ${spec}`);
  return fs.globSync(source).map((path) => ({
    PathOnHost: path,
    PathInContainer: path,
    CgroupPermissions: permissions,
  }));
}

function isMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}
