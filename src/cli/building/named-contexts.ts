import { resolve } from "node:path";
import { fs } from "../builtin.ts";
import { CliError } from "../errors.ts";

/** A `--build-context`: a directory that is sent, or what the daemon finds itself. */
export type NamedContext =
  | { name: string; kind: "directory"; path: string }
  | { name: string; kind: "image" | "remote"; address: string };

const remote = /^(https?|git|ssh):\/\/|^[\w.-]+@[\w.-]+:/;

/** Reads `name=path`, `name=docker-image://ref` and `name=<address of a repository>`. */
export function parseNamedContext(text: string): NamedContext {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(0, equals));
  const value = text.slice(equals + 1);
  if (name === "" || value === "") throw new CliError(`invalid context value: ${text}, expected key=value`);
  const image = /^docker-image:\/\/(.+)$/.exec(value)?.[1];
  if (image !== undefined) return { name, kind: "image", address: image };
  if (remote.test(value)) return { name, kind: "remote", address: value };
  if (/^[a-z-]+:\/\//.test(value)) throw new CliError(`unsupported context source ${value} for ${name}`);
  const stat = fs.statSync(value, { throwIfNoEntry: false });
  if (!stat?.isDirectory())
    throw new CliError(`failed to get build context ${name}: ${value} is not a directory`);
  return { name, kind: "directory", path: resolve(value) };
}
