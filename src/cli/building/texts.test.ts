import assert from "node:assert/strict";
import { test } from "node:test";
import { fit, oneLine, printable } from "./texts.ts";

test("a text fits its columns", () => {
  assert.equal(fit("abc", 5), "abc  ");
  assert.equal(fit("abcde", 5), "abcde");
  assert.equal(fit("abcdef", 5), "abcd…");
  // Each of these takes two columns.
  assert.equal(fit("日本語", 6), "日本語");
  assert.equal(fit("日本語", 5), "日本…");
  assert.equal(fit("日本語", 4), "日… ");
  assert.equal(fit("e\u0301e\u0301", 2), "e\u0301e\u0301");
  assert.equal(fit("", 2), "  ");
});

test("what would move the cursor is taken away", () => {
  assert.equal(printable("\x1b[31mred\x1b[0m\x1b[2K\ta\x07\x1b]0;title\x07b"), "red    ab");
  assert.equal(oneLine("RUN <<EOF\n  a\nEOF"), "RUN <<EOF ⏎ a ⏎ EOF");
});
