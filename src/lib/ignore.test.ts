import assert from "node:assert/strict";
import { test } from "node:test";
import { ignores, readIgnore } from "./ignore.ts";

test("what a .dockerignore leaves out", () => {
  const cases: [rules: string, path: string, isIgnored: boolean][] = [
    ["a", "/a", true],
    ["a", "/a/b", true],
    ["a", "/b/a", false],
    ["/a/", "/a/b", true],
    ["./a/../b", "/b", true],
    ["/../a", "/a", true],
    ["../a", "/a", false],
    [".", "/a", false],
    ["..", "/a", false],
    ["/", "/a", false],
    ["*", "/a/b", true],
    ["*.md", "/a/b.md", false],
    ["**/*.md", "/a/b.md", true],
    ["**/*.md", "/b.md", true],
    ["**.md", "/a/b.md", true],
    ["**.md", "/a/b.mdx", false],
    ["**/node_modules", "/a/node_modules/b", true],
    ["a/**", "/a", false],
    ["a/**", "/a/b", true],
    ["a/**/c", "/a/c", true],
    ["a/**/c", "/a/x/y/c", true],
    ["a?c", "/abc", true],
    ["[a-c]", "/b", true],
    ["[^a-c]", "/b", false],
    ["\\#a", "/#a", true],
    ["# a", "/a", false],
    ["a\n!a/b", "/a/b", false],
    ["a\n!a/b", "/a/c", true],
    ["!a\na", "/a", true],
    ["\uFEFFa\r\nb\r\n", "/a", true],
  ];
  for (const [rules, path, isIgnored] of cases)
    assert.equal(ignores(readIgnore(rules))(path), isIgnored, `${rules} ${path}`);
  const deep = `/${"a/".repeat(400)}`;
  assert.equal(ignores(readIgnore(`${"**/a/".repeat(40)}b`))(`${deep}c/xb`), false);
  assert.equal(ignores(readIgnore(`${"**/a/".repeat(40)}*b`))(`${deep}xb/c`), true);
  assert.throws(() => readIgnore("!"), /illegal exclusion pattern: "!"/);
  assert.throws(() => readIgnore("a[b"), /syntax error in pattern/);
});
