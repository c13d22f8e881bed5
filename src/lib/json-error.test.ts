import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonFlaw } from "./json-error.ts";

const flaws: [string, string][] = [
  ["", "unexpected EOF"],
  ['{"a":', "unexpected EOF"],
  ["xx", "invalid character 'x' looking for beginning of value"],
  ["{x", "invalid character 'x' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ["[1,]", "invalid character ']' looking for beginning of value"],
  ["[1 2]", "invalid character '2' after array element"],
  ["[01]", "invalid character '1' after array element"],
  ["[-x]", "invalid character 'x' in numeric literal"],
  ["[1.x]", "invalid character 'x' after decimal point in numeric literal"],
  ["[1ex]", "invalid character 'x' in exponent of numeric literal"],
  ["[trux]", "invalid character 'x' in literal true (expecting 'e')"],
  ['["a\\x"]', "invalid character 'x' in string escape code"],
  ['["\\u00g0"]', "invalid character 'g' in \\u hexadecimal character escape"],
  ['["a\n"]', "invalid character '\\n' in string literal"],
  ["'a'", "invalid character '\\'' looking for beginning of value"],
];

test("flaws are told in Go's words", () => {
  for (const [text, flaw] of flaws) {
    assert.equal(jsonFlaw(text), flaw, text);
    assert.throws(() => JSON.parse(text));
  }
});

test("a sound value has no flaw, whatever follows it", () => {
  assert.equal(jsonFlaw(' {"a": [1, -2.5e+3, true, false, null, "\\u00e4\\n"], "b": {}} x'), "");
});
