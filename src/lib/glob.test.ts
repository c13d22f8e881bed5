import assert from "node:assert/strict";
import { test } from "node:test";
import { globPattern, hasWildcard } from "./glob.ts";

test("patterns of one name", () => {
  const cases: [pattern: string, name: string, matches: boolean][] = [
    ["package-lock.json*", "package-lock.json", true],
    ["package-lock.json*", "package-lock_json", false],
    ["a?c", "abc", true],
    ["a?c", "a/c", false],
    ["*", "a/b", false],
    ["[a-c]x", "bx", true],
    ["[a-c]x", "-x", false],
    ["[^a-c]x", "-x", true],
    ["[a\\-c]x", "-x", true],
    ["[a\\-c]x", "bx", false],
    ["\\*", "*", true],
    ["\\*", "x", false],
    ["é?{}()|/$^+.", "éx{}()|/$^+.", true],
    ["arr[[]0].txt", "arr[0].txt", true],
    ["🙂?", "🙂🙂", true],
  ];
  for (const [pattern, name, matches] of cases)
    assert.equal(globPattern(pattern).test(name), matches, `${pattern} ${name}`);
});

test("what would take a regular expression minutes", () => {
  const name = "a".repeat(200);
  assert.equal(globPattern(`${"*a".repeat(60)}*b`).test(`${name}b`), true);
  assert.equal(globPattern(`${"*a".repeat(60)}b*`).test(`${name}c`), false);
  assert.equal(globPattern(`${"*a".repeat(60)}b*c`).test(`${name}cb`), false);
});

test("what is no pattern", () => {
  for (const pattern of ["[", "[a", "[]", "[a-", "\\"])
    assert.throws(() => globPattern(pattern), /syntax error in pattern/);
  assert.equal(hasWildcard("a-b.c"), false);
});
