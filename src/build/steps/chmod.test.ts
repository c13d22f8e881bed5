import assert from "node:assert/strict";
import { test } from "node:test";
import { changeMode, parseChmod } from "./chmod.ts";

test("modes as chmod has them", () => {
  const cases: [string, from: number, to: number, isDirectory?: boolean][] = [
    ["755", 0o4640, 0o755],
    ["04711", 0o644, 0o4711],
    ["u=rwX,go=rX", 0o600, 0o644],
    ["u=rwX,go=rX", 0o700, 0o755],
    ["u=rwX,go=rX", 0o700, 0o755, true],
    ["+x", 0o644, 0o755],
    ["a-w,g=u", 0o640, 0o440],
    ["g=u", 0o640, 0o660],
    ["o=g", 0o4750, 0o4755],
    ["u+g,o-u", 0o066, 0o660],
    ["ug+s,+t", 0o755, 0o7755],
    ["u-s", 0o4755, 0o755],
    ["g+w-x", 0o755, 0o765],
    ["=", 0o755, 0],
  ];
  for (const [text, from, to, isDirectory = false] of cases) {
    const made = changeMode(parseChmod(text), from, isDirectory);
    assert.equal(made.toString(8), to.toString(8), `${text} of ${from.toString(8)}`);
  }
  for (const text of ["", "8", "77777", "u", "u=q", "u=ru", "z+x", "u+x,"])
    assert.throws(() => parseChmod(text), /invalid chmod parameter/, text);
});
