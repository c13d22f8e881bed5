import { invalid } from "../../lib/errors.ts";
import { jsonFlaw } from "../../lib/json-error.ts";
import type { Profile, ProfileFilter, ProfileRule } from "./profile.ts";

/** A larger profile than any real one. */
const maxLength = 4 << 20;

const failed = (why: string) => invalid(`Decoding seccomp profile failed: ${why}`);

/** Go's word for a JSON value's kind. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value === "object" ? "object" : typeof value;
}

type Kind = "string" | "number" | "array" | "object";

/** A field of the wanted kind; null is as good as absent, as in Go. */
function field<T>(from: object, name: string, kind: Kind, type: string, owner: string): T | undefined {
  const value: unknown = Object.entries(from).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  if (value === undefined || value === null) return undefined;
  if (kindOf(value) !== kind)
    throw failed(
      `json: cannot unmarshal ${kindOf(value)} into Go struct field ${owner}.${name} of type ${type}`,
    );
  return value as T;
}

function strings(from: object, name: string, type: string, owner: string): string[] | undefined {
  const list = field<unknown[]>(from, name, "array", type, owner);
  for (const item of list ?? [])
    if (typeof item !== "string")
      throw failed(
        `json: cannot unmarshal ${kindOf(item)} into Go struct field ${owner}.${name} of type string`,
      );
  return list as string[] | undefined;
}

function objects(from: object, name: string, type: string, owner: string): object[] | undefined {
  const list = field<unknown[]>(from, name, "array", type, owner);
  for (const item of list ?? [])
    if (typeof item !== "object" || item === null || Array.isArray(item))
      throw failed(
        `json: cannot unmarshal ${kindOf(item)} into Go struct field ${owner}.${name} of type ${type}`,
      );
  return list as object[] | undefined;
}

function readFilter(from: object, name: string): ProfileFilter | undefined {
  const filter = field<object>(from, name, "object", "seccomp.Filter", "Syscall");
  if (!filter) return undefined;
  const minKernel = field<string>(filter, "minKernel", "string", "seccomp.KernelVersion", "Filter");
  if (minKernel && !/^[1-9]?\d{1,2}\.\d{1,3}$/.test(minKernel))
    throw failed(`invalid kernel version: ${JSON.stringify(minKernel)}, expected "<kernel>.<major>"`);
  return {
    caps: strings(filter, "caps", "[]string", "Filter"),
    arches: strings(filter, "arches", "[]string", "Filter"),
    ...(minKernel ? { minKernel } : {}),
  };
}

function readRule(from: object): ProfileRule {
  const args = objects(from, "args", "specs.LinuxSeccompArg", "Syscall")?.map((argument) => ({
    index: field<number>(argument, "index", "number", "uint", "LinuxSeccompArg") ?? 0,
    value: integer(argument, "value"),
    valueTwo: integer(argument, "valueTwo"),
    op: field<string>(argument, "op", "string", "specs.LinuxSeccompOperator", "LinuxSeccompArg") ?? "",
  }));
  return {
    name: field<string>(from, "name", "string", "string", "Syscall"),
    names: strings(from, "names", "[]string", "Syscall") ?? [],
    action: field<string>(from, "action", "string", "specs.LinuxSeccompAction", "Syscall") ?? "",
    errnoRet: field<number>(from, "errnoRet", "number", "uint", "Syscall"),
    args,
    includes: readFilter(from, "includes"),
    excludes: readFilter(from, "excludes"),
  };
}

/** A 64-bit argument; beyond 2^53 the exact digits, which `exactNumbers` has kept as text. */
function integer(from: object, name: string): number | string {
  const value: unknown = Object.entries(from).find(([key]) => key === name)?.[1];
  if (value === undefined || value === null) return 0;
  const exact = typeof value === "string" ? value : `${value}`;
  if (!/^\d+$/.test(exact) || BigInt(exact) >> 64n)
    throw failed(
      `json: cannot unmarshal ${kindOf(value)} into Go struct field LinuxSeccompArg.${name} of type uint64`,
    );
  return value as number | string;
}

/** JSON.parse that keeps integers a double cannot hold as text. */
function exactNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  const inexact = typeof value === "number" && !Number.isSafeInteger(value);
  return inexact && context?.source && /^\d+$/.test(context.source) ? context.source : value;
}

/**
 * Reads a profile in Docker's JSON format (profiles/seccomp/default.json there). Throws with
 * dockerd's text for what is none; fields it does not know are ignored.
 */
export function readProfile(text: string): Profile {
  if (text.length > maxLength) throw failed(`the profile has more than ${maxLength} characters`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text, exactNumbers);
  } catch (error) {
    throw invalid(
      `Decoding seccomp profile failed: ${jsonFlaw(text) || "invalid character after top-level value"}`,
      error,
    );
  }
  if (parsed === null) return { defaultAction: "" };
  if (typeof parsed !== "object" || Array.isArray(parsed))
    throw failed(`json: cannot unmarshal ${kindOf(parsed)} into Go value of type seccomp.Seccomp`);
  return {
    defaultAction:
      field<string>(parsed, "defaultAction", "string", "specs.LinuxSeccompAction", "Seccomp") ?? "",
    defaultErrnoRet: field<number>(parsed, "defaultErrnoRet", "number", "uint", "Seccomp"),
    architectures: strings(parsed, "architectures", "[]specs.Arch", "Seccomp"),
    flags: strings(parsed, "flags", "[]specs.LinuxSeccompFlag", "Seccomp"),
    archMap: objects(parsed, "archMap", "[]seccomp.Architecture", "Seccomp")?.map((entry) => ({
      architecture: field<string>(entry, "architecture", "string", "specs.Arch", "Architecture") ?? "",
      subArchitectures: strings(entry, "subArchitectures", "[]specs.Arch", "Architecture"),
    })),
    syscalls: objects(parsed, "syscalls", "[]*seccomp.Syscall", "Seccomp")?.map(readRule),
  };
}
