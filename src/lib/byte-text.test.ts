import assert from "node:assert/strict";
import { test } from "node:test";
import { toBytes, toText } from "./byte-text.ts";

test("bytes that are no UTF-8 survive", () => {
  for (const hex of [
    "61ff62",
    "fffe",
    "c3",
    "61c328",
    "e282",
    "f09d84",
    "eda080",
    "efbfbd",
    "c3bc80f09d849eff",
    "",
  ]) {
    const bytes = Buffer.from(hex, "hex");
    assert.equal(toBytes(toText(bytes)).toString("hex"), hex);
  }
  assert.equal(toText(Buffer.from("ü𝄞\ufffd")), "ü𝄞\ufffd");
  assert.equal(toText(Buffer.from("61ff", "hex")), "a\udcff");
  assert.notEqual(toText(Buffer.from("61ff", "hex")), toText(Buffer.from("61fe", "hex")));
});
