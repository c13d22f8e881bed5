import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { nativeFile } from "../../lib/own-file.ts";
import { capabilityNames } from "../capabilities.ts";
import { defaultCapabilities } from "../defaults.ts";
import type { Seccomp } from "../oci.ts";
import { compact } from "./compact.ts";
import { compilerInput } from "./compile.ts";
import { containerSeccomp } from "./container.ts";
import { bpf, decode, encode } from "./decide.ts";
import { allowed, archX64, archX86, simulate } from "./testing.ts";

const compiled = (seccomp: Seccomp | undefined): Buffer => {
  assert.ok(seccomp);
  return execFileSync(nativeFile("berth-seccomp"), { input: compilerInput(seccomp) });
};

/** Numbers around everything a program compares with, and some far from all. */
function numbersOf(program: Buffer): number[] {
  const numbers = new Set([0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 5000, 0x40001000]);
  for (const { operand } of decode(program))
    for (const number of [operand - 1, operand, operand + 1])
      if (number >= 0 && number <= 0xffffffff) numbers.add(number);
  return [...numbers];
}

/** Arguments that every condition of the tested profiles holds for, and does not. */
const argumentsTried = [
  0n,
  1n,
  11n,
  12n,
  16n,
  38n,
  40n,
  45n,
  0x20008n,
  0x7e020000n,
  0xffffffffn,
  2n ** 63n + 7n,
  2n ** 64n - 1n,
];

function assertSame(program: Buffer, smaller: Buffer): void {
  for (const arch of [archX64, archX86, 0x1234, 0])
    for (const number of numbersOf(program))
      for (const value of argumentsTried) {
        const call = { arch, number, args: [value, value, 0n] };
        const verdicts = [simulate(program, call), simulate(smaller, call)];
        assert.equal(verdicts[1], verdicts[0], `${arch.toString(16)} ${number} ${value}`);
      }
}

test("the default profile is decided alike in less than half the instructions", () => {
  const program = compiled(containerSeccomp(undefined, defaultCapabilities));
  const smaller = compact(program);
  assert.ok(smaller.length * 2 < program.length, `${smaller.length / 8} of ${program.length / 8}`);
  assertSame(program, smaller);
});

test("so are profiles with other capabilities, other conditions and other defaults", () => {
  const args = (op: string, value: number | string, valueTwo?: number) => [
    { index: 1, value, op, ...(valueTwo === undefined ? {} : { valueTwo }) },
  ];
  const custom: Seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    syscalls: [
      {
        names: ["mkdir"],
        action: "SCMP_ACT_ERRNO",
        errnoRet: 5,
        args: args("SCMP_CMP_GT", "9223372036854775808"),
      },
      { names: ["rmdir"], action: "SCMP_ACT_TRAP", args: args("SCMP_CMP_LE", 12) },
      { names: ["chmod"], action: "SCMP_ACT_KILL_PROCESS", args: args("SCMP_CMP_MASKED_EQ", 0x20008, 8) },
      { names: ["open", "openat"], action: "SCMP_ACT_LOG", args: args("SCMP_CMP_NE", 16) },
    ],
  };
  for (const seccomp of [
    containerSeccomp(undefined, capabilityNames),
    custom,
    { defaultAction: "SCMP_ACT_KILL" },
  ]) {
    const program = compiled(seccomp);
    assertSame(program, compact(program));
  }
});

test("jumps further than a test reaches", () => {
  // Every second call is refused with an errno of its own.
  const syscalls = Array.from({ length: 400 }, (_, number) => ({
    code: bpf.ifEqual,
    yes: 0,
    no: 1,
    operand: number * 2,
  })).flatMap((instruction, index) => [
    instruction,
    { code: bpf.return, yes: 0, no: 0, operand: 0x50000 + index },
  ]);
  const program = encode([
    { code: bpf.load, yes: 0, no: 0, operand: 0 },
    ...syscalls,
    { code: bpf.return, yes: 0, no: 0, operand: allowed },
  ]);
  const smaller = compact(program);
  for (let number = 0; number < 900; number++)
    assert.equal(simulate(smaller, { number }), simulate(program, { number }));
});

test("programs that cannot be taken apart stay as they are", () => {
  const program = encode([
    { code: bpf.load, yes: 0, no: 0, operand: 0 },
    { code: bpf.and, yes: 0, no: 0, operand: 1 },
    { code: bpf.ifEqual, yes: 0, no: 1, operand: 1 },
    { code: bpf.return, yes: 0, no: 0, operand: 0 },
    { code: bpf.return, yes: 0, no: 0, operand: allowed },
  ]);
  assert.equal(compact(program), program);
});
