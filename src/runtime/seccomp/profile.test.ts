import assert from "node:assert/strict";
import { test } from "node:test";
import { containerSeccomp } from "./container.ts";
import { defaultProfile } from "./default-profile.ts";
import { type Profile, resolveProfile } from "./profile.ts";
import { readProfile } from "./read.ts";

const context = { capabilities: ["CAP_CHOWN"], arch: "amd64", kernel: "5.15.0-1-amd64" };
const resolve = (profile: unknown) => resolveProfile(readProfile(JSON.stringify(profile)), context);
const rule = (more: object) => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", ...more }],
});

test("conditions decide which rules count", () => {
  const counts = (more: object) => resolve(rule(more))?.syscalls?.length === 1;
  assert.ok(counts({ includes: { caps: ["CAP_CHOWN"], arches: ["amd64"], minKernel: "5.15" } }));
  assert.ok(!counts({ includes: { caps: ["CAP_CHOWN", "CAP_KILL"] } }));
  assert.ok(!counts({ includes: { arches: ["arm64"] } }));
  assert.ok(!counts({ includes: { minKernel: "5.16" } }));
  assert.ok(!counts({ excludes: { caps: ["CAP_CHOWN"] } }));
  assert.ok(!counts({ excludes: { minKernel: "4.8" } }));
  assert.ok(counts({ excludes: { minKernel: "6.0", arches: ["arm64"] } }));
});

test("architectures come from the map by the machine's", () => {
  assert.deepEqual(resolveProfile(defaultProfile, context)?.architectures, [
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X32",
  ]);
  assert.deepEqual(resolveProfile(defaultProfile, { ...context, arch: "riscv64" })?.architectures, [
    "SCMP_ARCH_RISCV64",
  ]);
});

test("the default profile names each call once", () => {
  const always = defaultProfile.syscalls?.[0]?.names ?? [];
  assert.equal(new Set(always).size, always.length);
  assert.ok(always.length > 350);
});

test("what is no profile is refused with dockerd's words", () => {
  const refused: [string, string][] = [
    ["x", "Decoding seccomp profile failed: invalid character 'x' looking for beginning of value"],
    ["{}1", "Decoding seccomp profile failed: invalid character after top-level value"],
    [
      '{"defaultAction":5}',
      "Decoding seccomp profile failed: json: cannot unmarshal number into Go struct field Seccomp.defaultAction of type specs.LinuxSeccompAction",
    ],
    [
      "[]",
      "Decoding seccomp profile failed: json: cannot unmarshal array into Go value of type seccomp.Seccomp",
    ],
    [
      '{"syscalls":{}}',
      "Decoding seccomp profile failed: json: cannot unmarshal object into Go struct field Seccomp.syscalls of type []*seccomp.Syscall",
    ],
    [
      JSON.stringify(rule({ includes: { minKernel: "x" } })),
      'Decoding seccomp profile failed: invalid kernel version: "x", expected "<kernel>.<major>"',
    ],
    [JSON.stringify({ defaultAction: "SCMP_FOO" }), "string SCMP_FOO is not a valid action for seccomp"],
    [JSON.stringify(rule({ action: "SCMP_FOO" })), "string SCMP_FOO is not a valid action for seccomp"],
    [
      JSON.stringify(rule({ args: [{ index: 1, value: 1, op: "FOO" }] })),
      "string FOO is not a valid operator for seccomp",
    ],
    [
      JSON.stringify(rule({ args: [{ index: 9, value: 1, op: "SCMP_CMP_EQ" }] })),
      "error creating seccomp syscall condition for syscall mkdir: syscalls only have up to 6 arguments (9 given)",
    ],
    [
      JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_FOO"] }),
      "string SCMP_ARCH_FOO is not a valid arch for seccomp",
    ],
    [
      JSON.stringify(rule({ name: "rmdir" })),
      "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
    ],
    [
      JSON.stringify({ ...defaultProfile, architectures: ["SCMP_ARCH_X86"] }),
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    ],
    [
      JSON.stringify(rule({ names: ["a\nrule 0 b -1"] })),
      'seccomp profile names "a\nrule 0 b -1", which is no system call',
    ],
  ];
  for (const [text, message] of refused)
    assert.throws(() => resolveProfile(readProfile(text), context), { message, code: "INVALID_PARAMETER" });
});

test("old profiles name one call, empty ones disable the filter", () => {
  const old: Profile = readProfile(
    '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"name":"read","action":"SCMP_ACT_ALLOW","args":null}]}',
  );
  assert.deepEqual(resolveProfile(old, context)?.syscalls, [{ names: ["read"], action: "SCMP_ACT_ALLOW" }]);
  assert.equal(resolve({}), undefined);
  assert.equal(resolveProfile(readProfile("null"), context), undefined);
});

test("options of a container", () => {
  assert.equal(containerSeccomp("unconfined", []), undefined);
  assert.equal(containerSeccomp(undefined, [], true), undefined);
  assert.equal(containerSeccomp("builtin", ["B", "A"]), containerSeccomp(undefined, ["A", "B"]));
  assert.equal(containerSeccomp('{"defaultAction":"SCMP_ACT_LOG"}', [])?.defaultAction, "SCMP_ACT_LOG");
});
