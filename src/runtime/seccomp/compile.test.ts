import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { defaultCapabilities } from "../defaults.ts";
import type { Seccomp } from "../oci.ts";
import { compilerInput, SeccompCompiler } from "./compile.ts";
import { containerSeccomp } from "./container.ts";
import { allowed, archX86, type Call, errno, simulate } from "./testing.ts";

const skip = process.arch === "x64" ? false : "the numbers are x86_64's";

function compiler(t: TestContext): { compiler: SeccompCompiler; directory: string } {
  const directory = mkdtempSync(join(tmpdir(), "berth-seccomp-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return { compiler: new SeccompCompiler(directory), directory };
}

const seccomp = (option?: string, capabilities: readonly string[] = defaultCapabilities): Seccomp => {
  const resolved = containerSeccomp(option, capabilities);
  assert.ok(resolved);
  return resolved;
};

const EPERM = 1;
const ENOSYS = 38;
const numbers = {
  read: 0,
  mkdir: 83,
  mount: 165,
  clone: 56,
  clone3: 435,
  socket: 41,
  personality: 135,
  chroot: 161,
  reboot: 169,
};

test("the default profile says of each call what Docker's does", { skip }, async (t) => {
  const { program } = await compiler(t).compiler.compile(seccomp());
  const say = (number: number, ...args: bigint[]) => simulate(program, { number, args });
  assert.equal(say(numbers.read), allowed);
  assert.equal(say(numbers.mount), errno(EPERM));
  assert.equal(say(numbers.chroot), allowed);
  assert.equal(say(numbers.reboot), errno(EPERM));
  assert.equal(say(numbers.clone, 0x11n), allowed);
  for (const flag of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n])
    assert.equal(say(numbers.clone, flag | 0x11n), errno(EPERM));
  assert.equal(say(numbers.clone3), errno(ENOSYS));
  for (const [family, verdict] of [
    [1, allowed],
    [2, allowed],
    [16, allowed],
    [38, errno(EPERM)],
    [40, errno(EPERM)],
    [44, allowed],
    [99, errno(EPERM)],
  ] as const)
    assert.equal(say(numbers.socket, BigInt(family)), verdict, `family ${family}`);
  assert.equal(say(numbers.personality, 0x20008n), allowed);
  assert.equal(say(numbers.personality, 0x40000n), errno(EPERM));
  assert.equal(say(462), allowed, "mseal, which is newer than libseccomp");
  assert.equal(say(9999), errno(ENOSYS), "calls of later kernels are not there");
});

test("32-bit calls are judged by their own numbers", { skip }, async (t) => {
  const { program } = await compiler(t).compiler.compile(seccomp());
  const say = (call: Call) => simulate(program, { arch: archX86, ...call });
  assert.equal(say({ number: 39 }), allowed, "mkdir");
  assert.equal(say({ number: 21 }), errno(EPERM), "mount");
  assert.equal(say({ number: 462 }), errno(ENOSYS));
  assert.equal(simulate(program, { number: 0x40000000 }), allowed, "read of x32");
  assert.equal(simulate(program, { number: 0x40000000 + numbers.mount }), errno(EPERM));
  assert.notEqual(simulate(program, { arch: 0x1234, number: 0 }), allowed);
});

test("capabilities open calls", { skip }, async (t) => {
  const { program } = await compiler(t).compiler.compile(seccomp(undefined, ["CAP_SYS_ADMIN"]));
  assert.equal(simulate(program, { number: numbers.mount }), allowed);
  assert.equal(simulate(program, { number: numbers.clone, args: [0x7e020000n] }), allowed);
  assert.equal(simulate(program, { number: numbers.clone3 }), allowed);
  assert.equal(simulate(program, { number: numbers.chroot }), errno(EPERM));
});

test("a custom profile: errno, arguments with 64 bits, alternatives on one argument", { skip }, async (t) => {
  const profile = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
    {"names":["mkdir","no_such_call"],"action":"SCMP_ACT_ERRNO","errnoRet":13,
     "args":[{"index":1,"value":18446744073709551615,"op":"SCMP_CMP_EQ"},{"index":1,"value":7,"op":"SCMP_CMP_EQ"}]},
    {"name":"reboot","action":"SCMP_ACT_KILL_PROCESS"}]}`;
  const { program } = await compiler(t).compiler.compile(seccomp(profile));
  const mkdir = (mode: bigint) => simulate(program, { number: numbers.mkdir, args: [0n, mode] });
  assert.deepEqual([mkdir(2n ** 64n - 1n), mkdir(7n), mkdir(8n)], [errno(13), errno(13), allowed]);
  assert.equal(simulate(program, { number: numbers.reboot }), 0x80000000);
  assert.equal(simulate(program, { number: 9999 }), allowed);
});

test("a profile is compiled once, and again when its file is damaged", { skip }, async (t) => {
  const { compiler: first, directory } = compiler(t);
  const filter = await first.compile(seccomp());
  assert.equal(await first.compile(structuredClone(seccomp())), filter);
  const [file = ""] = readdirSync(directory);
  assert.deepEqual(readdirSync(directory).length, 1);
  assert.deepEqual((await new SeccompCompiler(directory).compile(seccomp())).program, filter.program);
  truncateSync(join(directory, file), 12);
  assert.deepEqual((await new SeccompCompiler(directory).compile(seccomp())).program, filter.program);
});

test("what cannot be compiled says why", async (t) => {
  const { compiler: real, directory } = compiler(t);
  await assert.rejects(new SeccompCompiler(directory, "/bin/false").compile(seccomp()), /exit code 1/);
  await assert.rejects(new SeccompCompiler(directory, "/no/such").compile(seccomp()), /no such file/);
  await assert.doesNotReject(real.compile({ defaultAction: "SCMP_ACT_ALLOW" }));
  assert.match(compilerInput({ defaultAction: "SCMP_ACT_KILL" }), /^default 0\n$/);
});
