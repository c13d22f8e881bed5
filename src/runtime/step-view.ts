import { capabilityNames } from "./capabilities.ts";
import * as linux from "./linux.ts";
import { type Argument, type OperationName, operations } from "./plan/ops.ts";
import type { Step } from "./plan/plan.ts";

type Show = (value: Argument) => string;

/** Names of the bits that are set, as C programs write them. */
const bits =
  (names: Record<string, number>, none = "0"): Show =>
  (value) => {
    let left = Number(value);
    const found: string[] = [];
    // The largest first, so that a name for several bits goes before their own.
    for (const [name, bit] of Object.entries(names).sort((a, b) => b[1] - a[1])) {
      if (bit === 0 || (left & bit) !== bit) continue;
      found.push(name);
      left &= ~bit;
    }
    if (left !== 0) found.push(`0x${(left >>> 0).toString(16)}`);
    return found.length > 0 ? found.join("|") : none;
  };

/** The names in the table of numbers that begin so. */
const named = (prefix: string): Record<string, number> =>
  Object.fromEntries(
    Object.entries(linux).filter(
      (entry): entry is [string, number] => entry[0].startsWith(prefix) && typeof entry[1] === "number",
    ),
  );

const oneOf =
  (names: Record<string, number>): Show =>
  (value) =>
    Object.keys(names).find((name) => names[name] === Number(value)) ?? String(value);

const octal: Show = (value) => (value === 0 ? "0" : `0${Number(value).toString(8)}`);
const hex: Show = (value) => `0x${Number(value).toString(16)}`;
const open = bits(named("O_"), "O_RDONLY");
const at = bits(named("AT_"));
const resolve = bits(named("RESOLVE_"));
const clone = bits(named("CLONE_"));
const attributes = bits(named("MOUNT_ATTR_"));
const propagation = bits(named("MS_"));
/** A descriptor that need not be. */
const optional: Show = (value) => (value === null ? "none" : plain(value, true));
/** Group ids as the kernel's array of 32-bit numbers. */
const ids: Show = (value) => {
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value), "latin1");
  return `[${Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4)).join(", ")}]`;
};
const limit: Show = (value) => (BigInt(String(value)) >= 2n ** 64n - 1n ? "RLIM_INFINITY" : String(value));

const capabilities: Show = (value) => {
  const mask = BigInt(String(value));
  const names = capabilityNames.filter((_, bit) => (mask >> BigInt(bit)) & 1n);
  if (names.length === capabilityNames.length) return "all";
  return names.length > 0 ? names.map((name) => name.slice(4)).join("|") : "none";
};

const filterFlags = bits({ SECCOMP_FILTER_FLAG_LOG: 2, SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4 });
/** A struct sock_filter has eight bytes. */
const instructions: Show = (value) =>
  value instanceof Uint8Array ? `<${value.length / 8} BPF instructions>` : plain(value, false);

/** How arguments are shown that are more than a number, by their position. */
const shown: Partial<Record<OperationName, Record<number, Show>>> = {
  openat: { 3: open, 4: octal },
  openat2: { 3: open, 4: octal, 5: resolve },
  mkdirat: { 2: octal },
  mknodat: { 2: octal, 3: hex },
  fchmodat: { 2: octal },
  make_target: { 3: (value) => (value ? "directory" : "file"), 4: octal },
  open_tree: { 3: bits({ ...named("OPEN_TREE_"), ...named("AT_") }) },
  move_mount: { 4: bits(named("MOVE_MOUNT_")) },
  mount_setattr: { 2: at, 3: attributes, 4: attributes, 5: propagation, 6: optional },
  fsconfig: { 1: oneOf(named("FSCONFIG_")) },
  fsmount: { 3: attributes },
  mount: { 3: propagation },
  umount2: { 1: bits(named("MNT_")) },
  bind_tree: { 3: at, 4: optional },
  setgroups: { 0: ids },
  stdio: { 0: optional },
  setns: { 1: clone },
  unshare: { 0: clone },
  clone_parent: { 0: clone },
  prlimit: { 0: oneOf(linux.rlimits), 1: limit, 2: limit },
  prctl: { 0: oneOf(named("PR_")) },
  capset: { 0: capabilities, 1: capabilities, 2: capabilities },
  capbset_drop: { 0: capabilities },
  cap_ambient_raise: { 0: capabilities },
  seccomp: { 0: filterFlags, 1: instructions },
  bpf_prog_load: { 4: instructions, 6: optional },
  bpf_get_fd_by_id: { 1: oneOf({ BPF_PROG_GET_FD_BY_ID: 13, BPF_MAP_GET_FD_BY_ID: 14 }) },
  umask: { 0: octal },
};

const LONGEST = 200;

/** A step as a line for people: `{root} = openat({tree}, "rw", O_PATH)`; {…} are open descriptors. */
export function readableStep({ op, args }: Step): string {
  const signature = operations[op];
  const shows = shown[op] ?? {};
  const texts = args.map((value, index) => shows[index]?.(value) ?? plain(value, signature[index] === "d"));
  if (signature.startsWith("o")) return `${texts[0]} = ${op}(${texts.slice(1).join(", ")})`;
  return `${op}(${texts.join(", ")})`;
}

/** CLONE_NEW* flags by name. */
export const flagNames = (flags: number): string => clone(flags);

function plain(value: Argument, descriptor: boolean): string {
  if (value === null) return descriptor ? "AT_FDCWD" : "NULL";
  if (typeof value === "string") return quote(value);
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (typeof value === "object") return `{${value.name}}`;
  return String(value);
}

/** Words divided by zero bytes, such as arguments and environment, become a list. */
function quote(text: string): string {
  if (text.includes("\0")) {
    const words = text.split("\0").filter((word, index, all) => word !== "" || index < all.length - 1);
    const list = words.map((word) => JSON.stringify(word));
    const shownWords = list.length > 8 ? [...list.slice(0, 8), `… ${list.length - 8} more`] : list;
    return `[${shownWords.join(", ")}]`;
  }
  return JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
}
