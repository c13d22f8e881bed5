import { encode, type Instruction } from "../../lib/bpf.ts";
import type { DeviceRule } from "../oci.ts";
import { effectiveRules } from "./device-rules.ts";

/**
 * A v2 group has no devices controller; a BPF program attached to it answers each open and mknod
 * instead.
 */
const opcode = {
  loadWord: 0x61,
  move: 0xb7,
  moveRegister: 0xbf,
  and: 0x57,
  shiftRight: 0x77,
  jumpIfEqual: 0x15,
  jumpIfNotEqual: 0x55,
  jumpIfNotEqualRegister: 0x5d,
  exit: 0x95,
} as const;

const [result, context, type, access, majorNumber, minorNumber, scratch] = [0, 1, 2, 3, 4, 5, 6];

/** struct bpf_cgroup_dev_ctx: access_type (access above 16 bits of type), major, minor. */
const prologue: Instruction[] = [
  { code: opcode.loadWord, destination: type, source: context, offset: 0 },
  { code: opcode.moveRegister, destination: access, source: type },
  { code: opcode.and, destination: type, immediate: 0xffff },
  { code: opcode.shiftRight, destination: access, immediate: 16 },
  { code: opcode.loadWord, destination: majorNumber, source: context, offset: 4 },
  { code: opcode.loadWord, destination: minorNumber, source: context, offset: 8 },
];

const typeBits = { b: 1, c: 2 } as const;
const accessBits: Record<string, number> = { m: 1, r: 2, w: 4 };
const everyAccess = 7;

const verdict = (allow: boolean): Instruction[] => [
  { code: opcode.move, destination: result, immediate: allow ? 1 : 0 },
  { code: opcode.exit },
];

/** One rule: tests that jump past it, then its verdict. */
function block(rule: DeviceRule): Instruction[] {
  const tests: Instruction[] = [];
  if (rule.type === "b" || rule.type === "c")
    tests.push({ code: opcode.jumpIfNotEqual, destination: type, immediate: typeBits[rule.type] });
  const mask = [...(rule.access ?? "rwm")].reduce((bits, letter) => bits | (accessBits[letter] ?? 0), 0);
  if (mask !== everyAccess) {
    tests.push({ code: opcode.moveRegister, destination: scratch, source: access });
    tests.push({ code: opcode.and, destination: scratch, immediate: mask });
    // Allowed is what stays within the rule; refused is whatever touches it.
    tests.push(
      rule.allow
        ? { code: opcode.jumpIfNotEqualRegister, destination: scratch, source: access }
        : { code: opcode.jumpIfEqual, destination: scratch, immediate: 0 },
    );
  }
  for (const [register, number] of [
    [majorNumber, rule.major],
    [minorNumber, rule.minor],
  ] as const)
    if (number !== undefined && number >= 0)
      tests.push({ code: opcode.jumpIfNotEqual, destination: register, immediate: number });
  const end = verdict(rule.allow);
  const length = tests.length + end.length;
  const jumps: number[] = [opcode.jumpIfNotEqual, opcode.jumpIfNotEqualRegister, opcode.jumpIfEqual];
  return [
    ...tests.map((test, at) => (jumps.includes(test.code) ? { ...test, offset: length - at - 1 } : test)),
    ...end,
  ];
}

/**
 * A BPF_PROG_TYPE_CGROUP_SOCK_ADDR program for bind(2) that allows everything (bit 0 of its result) without
 * CAP_NET_BIND_SERVICE (bit 1).
 */
export const bindProgram = (): Buffer =>
  encode([{ code: opcode.move, destination: result, immediate: 3 }, { code: opcode.exit }]);

/**
 * The BPF_PROG_TYPE_CGROUP_DEVICE program for device rules, of which the last that matches decides;
 * what no rule matches is refused. Undefined when everything is allowed: no program is needed.
 */
export function deviceProgram(rules: readonly DeviceRule[]): Buffer | undefined {
  const effective = effectiveRules(rules);
  if (effective.length === 0) return undefined;
  const blocks = effective.toReversed().map(block);
  if (effective.length === 1 && effective[0]?.allow && blocks[0]?.length === 2) return undefined;
  // A rule without tests decides everything: code behind it would be unreachable, which the verifier refuses.
  const last = blocks.findIndex((instructions) => instructions.length === 2);
  const used = last < 0 ? [...blocks, verdict(false)] : blocks.slice(0, last + 1);
  return encode([...prologue, ...used.flat()]);
}
