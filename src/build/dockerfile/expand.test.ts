import assert from "node:assert/strict";
import { test } from "node:test";
import { expandDocument, expandWord, expandWords } from "./expand.ts";

const variables: Record<string, string> = { a: "1", b: "x y", e: "", p: "/usr/local/lib.tar.gz", s: "*b*c" };
const lookup = (name: string): string | undefined => variables[name];

test("every form of a variable", () => {
  const cases: [string, string][] = [
    ["$a-${a}", "1-1"],
    ["'$a' \"$b\"", "$a x y"],
    ["\\$a \\\\", "$a \\"],
    ["${n:-d} ${e:-d} ${e-d} ${a:-d}", "d d  1"],
    ["${n:+d}|${e:+d}|${e+d}|${a:+d}", "||d|d"],
    ["${n:-${a}}", "1"],
    ["${a:?no}", "1"],
    [
      "${p#*/}|${p##*/}|${p%.*}|${p%%.*}",
      "usr/local/lib.tar.gz|lib.tar.gz|/usr/local/lib.tar|/usr/local/lib",
    ],
    ["${p/l/L}|${p//l/L}", "/usr/Local/lib.tar.gz|/usr/LocaL/Lib.tar.gz"],
    ["a'b'\"c\"", "abc"],
    ["${s#\\*}|${s//\\*/x}|${s#'*'}|${a/1/${p##*.}}", "b*c|xbxc|b*c|gz"],
    ["${p#${p%/*}/}", "lib.tar.gz"],
    ["$", "$"],
  ];
  for (const [text, expected] of cases) assert.equal(expandWord(text, lookup), expected, text);
});

test("patterns that would take a regular expression minutes", () => {
  const value = "a".repeat(5000);
  const stars = "*a".repeat(40);
  const of = (text: string): string => expandWord(text, () => value);
  assert.equal(of(`\${v##${stars}*b}`), value);
  assert.equal(of(`\${v%%${stars}}`), "");
  assert.equal(of(`\${v#${stars}}`).length, 4960);
  assert.throws(() => expandWord("${v/*b/x}", () => "a".repeat(20_000)), /too long for a pattern/);
});

test("words split at the blanks of variables, not at those in quotes", () => {
  assert.deepEqual(expandWords("$b z", lookup), ["x", "y", "z"]);
  assert.deepEqual(expandWords('"$b" z', lookup), ["x y", "z"]);
});

test("a document keeps its quotes", () => {
  assert.equal(expandDocument(`'$a' "\\$a" \\n`, lookup), `'1' "$a" \\n`);
});

test("what cannot be replaced is refused", () => {
  assert.throws(() => expandWord("${n:?is missing}", lookup), /n: is missing/);
  assert.throws(() => expandWord("${a", lookup), /missing '}'/);
  assert.throws(() => expandWord("${}", lookup), /bad substitution/);
  const nested = `${"${n:-".repeat(300)}${"}".repeat(300)}`;
  assert.throws(() => expandWord(nested, lookup), /more than 200 variables within each other/);
  assert.throws(() => expandWord("$n$n$n", () => "x".repeat(2 << 20)), /more than \d+ letters/);
  assert.throws(() => expandWord("'a", lookup), /matching single-quote/);
});
