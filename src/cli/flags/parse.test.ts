import assert from "node:assert/strict";
import { test } from "node:test";
import { CliError } from "../errors.ts";
import type { FlagTable } from "./flag.ts";
import { parseFlags } from "./parse.ts";

const table = {
  all: { type: "bool", short: "a", help: "" },
  detach: { type: "bool", short: "d", help: "" },
  env: { type: "list", short: "e", help: "" },
  interactive: { type: "bool", short: "i", help: "" },
  memory: { type: "bytes", short: "m", help: "" },
  name: { type: "string", help: "" },
  network: { type: "list", aliases: ["net"], help: "" },
  publish: { type: "list", short: "p", help: "" },
  "sig-proxy": { type: "bool", default: "true", help: "" },
  sysctl: { type: "map", help: "" },
  tty: { type: "bool", short: "t", help: "" },
} as const satisfies FlagTable;

const parse = (line: string, flagsFirst = false) => parseFlags(table, line.split(" "), flagsFirst);

test("short flags join, and take their value attached or after", () => {
  const { values, args } = parse("-it -p8080:80 -p 81:81 -e=A=1 -de B=2 image", true);
  assert.equal(values.interactive, true);
  assert.equal(values.tty, true);
  assert.equal(values.detach, true);
  assert.deepEqual(values.publish, ["8080:80", "81:81"]);
  assert.deepEqual(values.env, ["A=1", "B=2"]);
  assert.deepEqual(args, ["image"]);
});

test("long flags take their value after = or a space; booleans only after =", () => {
  const { values, args, changed } = parse("--name=x --memory 64m --all --sig-proxy=false y");
  assert.equal(values.name, "x");
  assert.equal(values.memory, 64 * 1024 * 1024);
  assert.equal(values.all, true);
  assert.equal(values["sig-proxy"], false);
  assert.deepEqual(args, ["y"]);
  assert.deepEqual([...changed].sort(), ["all", "memory", "name", "sig-proxy"]);
});

test("flags may follow arguments, unless they must come first", () => {
  assert.deepEqual(parse("one --all two").args, ["one", "two"]);
  const { values, args } = parse("one --all two", true);
  assert.equal(values.all, false);
  assert.deepEqual(args, ["one", "--all", "two"]);
});

test("-- ends the flags and - is an argument", () => {
  assert.deepEqual(parse("-a - -- --name -x").args, ["-", "--name", "-x"]);
});

test("defaults hold until a flag is given; aliases lead to the flag", () => {
  const { values } = parse("--net a --net=b --sysctl k=v --sysctl k=w");
  assert.equal(values["sig-proxy"], true);
  assert.deepEqual(values.network, ["a", "b"]);
  assert.deepEqual(values.sysctl, { k: "w" });
});

test("mistakes have docker's words and status 125", () => {
  const cases: [string, string][] = [
    ["--nope", "unknown flag: --nope"],
    ["--nope=1", "unknown flag: --nope"],
    ["-xy", "unknown shorthand flag: 'x' in -xy"],
    ["-ax", "unknown shorthand flag: 'x' in -x"],
    ["--name", "flag needs an argument: --name"],
    ["-ie", "flag needs an argument: 'e' in -e"],
    [
      "--all=maybe",
      'invalid argument "maybe" for "-a, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    ["-m 1x", 'invalid argument "1x" for "-m, --memory" flag: invalid suffix: \'x\''],
    ["--=x", "bad flag syntax: --=x"],
  ];
  for (const [line, message] of cases)
    assert.throws(
      () => parse(line),
      (error) => error instanceof CliError && error.message === message && error.exitCode === 125,
      line,
    );
});

test("--help is seen among flags, not among a command's arguments", () => {
  assert.equal(parse("--name x --help").help, true);
  assert.equal(parse("image --help", true).help, false);
});
