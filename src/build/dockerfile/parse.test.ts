import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instruction } from "./instruction.ts";
import { DockerfileError } from "./location.ts";
import { parseDockerfile } from "./parse.ts";

function only(text: string): Instruction {
  const [instruction] = parseDockerfile(`FROM a\n${text}`).stages[0]?.instructions ?? [];
  assert.ok(instruction);
  return instruction;
}

test("lines go on after the escapeToken, without comments between", () => {
  const run = only("RUN a \\\n  # not this\n\n  && b");
  assert.ok(run.kind === "run");
  assert.deepEqual(run.command, { form: "shell", text: "a   && b" });
  const escaped = parseDockerfile("# escape=`\nFROM a\nRUN a `\nb\nENV x=\\\n");
  assert.equal(escaped.stages[0]?.instructions.length, 2);
});

test("stages, their names and the arguments before them", () => {
  const { metaArgs, stages } = parseDockerfile(
    "ARG V=1\nFROM --platform=linux/amd64 a:$V AS one\nFROM one\nRUN x",
  );
  assert.equal(metaArgs.length, 1);
  assert.deepEqual(
    stages.map(({ base, name, platform }) => [base, name, platform]),
    [
      ["a:$V", "one", "linux/amd64"],
      ["one", undefined, undefined],
    ],
  );
});

test("documents belong to their instruction", () => {
  const run = only("RUN <<EOF cat && cat <<-'X'\none $a\nEOF\n\ttwo\n\tX\nRUN next");
  assert.ok(run.kind === "run");
  assert.deepEqual(run.heredocs, [
    { name: "EOF", content: "one $a\n", expand: true, chomp: false },
    { name: "X", content: "two\n", expand: false, chomp: true },
  ]);
  const copy = only('COPY <<"a.txt" <<b /dest/\nx\na.txt\nb\n');
  assert.ok(copy.kind === "copy");
  assert.deepEqual(copy.sources, ["<<a.txt", "<<b"]);
});

test("flags and JSON", () => {
  const copy = only('COPY --chown=1:2 --from=x --exclude=*.md --exclude=b ["a b", "c"]');
  assert.ok(copy.kind === "copy");
  assert.deepEqual(
    [copy.sources, copy.destination, copy.chown, copy.from, copy.exclude],
    [["a b"], "c", "1:2", "x", ["*.md", "b"]],
  );
  const env = only('ENV a="b c" d=e\\ f');
  assert.ok(env.kind === "env");
  assert.deepEqual(env.pairs, [
    ["a", '"b c"'],
    ["d", "e\\ f"],
  ]);
});

test("Dockerfiles that are meant to keep the daemon busy", () => {
  const long = parseDockerfile(`FROM a\nRUN x${" \\\n y".repeat(100_000)}\n`);
  assert.equal(long.stages[0]?.instructions[0]?.location.endLine, 100_002);
  const stages = Array.from({ length: 1001 }, (_, index) => `FROM s${index} AS s${index + 1}`);
  assert.throws(() => parseDockerfile(stages.join("\n")), /more than 1000 build stages/);
});

test("what is wrong is said in dockerd's words, with its place", () => {
  const cases: [string, string, number, number?][] = [
    ["", "dockerfile parse error on line 1: file with no instructions", 1],
    ["RUN x", "dockerfile parse error on line 1: no build stage in current context", 1],
    [
      "FROM a\n  RUM x",
      "dockerfile parse error on line 2: unknown instruction: RUM (did you mean RUN?)",
      2,
      3,
    ],
    ["FROM a b", "dockerfile parse error on line 1: FROM requires either one or three arguments", 1],
    [
      "FROM a AS 1b",
      `dockerfile parse error on line 1: invalid name for build stage: "1b", name can't start with a number or contain symbols`,
      1,
      11,
    ],
    [
      "FROM a\nCOPY x",
      "dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined.",
      2,
    ],
    ["FROM a\nCOPY --from x y z", "dockerfile parse error on line 2: missing a value on flag: --from", 2, 6],
    ["FROM a\nENV a", "dockerfile parse error on line 2: ENV must have two arguments", 2],
    [
      "FROM a\nSHELL sh",
      "dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form",
      2,
    ],
    [
      "FROM a\nONBUILD FROM b",
      "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger",
      2,
    ],
    [
      "FROM a\nADD --checksum=x --colour=red x /y",
      "dockerfile parse error on line 2: unknown flag: --colour",
      2,
      18,
    ],
    [
      "FROM a\nRUN --network=none \\\n  --mounts=x y",
      "dockerfile parse error on line 2: unknown flag: --mounts",
      3,
      3,
    ],
    [
      "FROM a\nENV a=1 \\\n  # no\n  b=2 \\\n  c",
      'dockerfile parse error on line 2: Syntax error - can\'t find = in "c". Must be of the form: name=value',
      5,
      3,
    ],
    ["FROM a\nRUN <<E\nx", "dockerfile parse error on line 2: unterminated heredoc", 2],
  ];
  for (const [text, message, line, column = 1] of cases) {
    assert.throws(
      () => parseDockerfile(text),
      (error) => {
        assert.ok(error instanceof DockerfileError);
        assert.deepEqual([error.message, error.location], [message, { line, column }]);
        return true;
      },
    );
  }
});
