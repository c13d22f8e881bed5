import assert from "node:assert/strict";
import { test } from "node:test";
import { execute } from "../../lib/bpf-testing.ts";
import { defaultDeviceRules, privilegedDeviceRules } from "../defaults.ts";
import type { DeviceRule } from "../oci.ts";
import { deviceProgram } from "./device-program.ts";

/** Runs a program as the kernel would, for one access: "c 1:3 rw". */
function run(program: Buffer, question: string): boolean {
  const [, type, major, minor, letters = ""] = /^([bc]) (\d+):(\d+) ([rwm]+)$/.exec(question) ?? [];
  const access = [...letters].reduce((bits, letter) => bits | { m: 1, r: 2, w: 4 }[letter as "m"], 0);
  const fields = [(access << 16) | (type === "b" ? 1 : 2), Number(major), Number(minor)];
  const context = Buffer.from(Uint32Array.from(fields).buffer);
  return execute(program, { context, pointers: {}, helpers: {} }) === 1;
}

const check = (rules: readonly DeviceRule[], answers: Record<string, boolean>) => {
  const program = deviceProgram(rules);
  assert.ok(program);
  for (const [question, answer] of Object.entries(answers))
    assert.equal(run(program, question), answer, question);
};

test("the default rules", () => {
  check(defaultDeviceRules, {
    "c 1:3 rw": true,
    "c 1:3 rwm": true,
    "c 136:7 rw": true,
    "c 10:229 m": true,
    "c 10:229 r": false,
    "b 254:0 m": true,
    "b 254:0 r": false,
    "c 10:200 rw": true,
  });
});

test("later rules win; a refusal counts for any part of what is asked", () => {
  check(
    [
      { allow: false },
      { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
      { allow: false, type: "c", major: 1, minor: 3, access: "w" },
      { allow: true, type: "b", access: "r" },
    ],
    { "c 1:3 r": true, "c 1:3 rw": false, "b 9:9 r": true, "b 9:9 rw": false },
  );
});

test("everything allowed needs no program, but exceptions from it do", () => {
  assert.equal(deviceProgram(privilegedDeviceRules), undefined);
  assert.equal(deviceProgram([]), undefined);
  check(
    [
      { allow: true, type: "a" },
      { allow: false, type: "c", major: 5, access: "rwm" },
    ],
    {
      "c 5:1 r": false,
      "b 5:1 r": true,
    },
  );
});

test("rules before the last total one have no effect and no code", () => {
  const short = deviceProgram([{ allow: false }]);
  const long = deviceProgram([{ allow: true, type: "c", major: 1 }, { allow: false }]);
  assert.deepEqual(short, long);
});
