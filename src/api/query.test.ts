import assert from "node:assert/strict";
import { test } from "node:test";
import { Query } from "./query.ts";

test("flags are what is not said to be false", () => {
  const query = new Query("a=1&b=True&c=0&d=none&e=&f=false&g=yes");
  const on = ["a", "b", "c", "d", "e", "f", "g", "h"].filter((name) => query.flag(name));
  assert.deepEqual(on, ["a", "b", "g"]);
  assert.deepEqual([query.flag("h", true), query.flag("c", true)], [true, false]);
  assert.equal(new Query("").flag("x", true), true);
});

test("integers are decimal", () => {
  const query = new Query("t=-1&x=abc&y=1.5&empty=");
  assert.deepEqual(
    [query.integer("t"), query.integer("none"), query.integer("empty")],
    [-1, undefined, undefined],
  );
  assert.throws(() => query.integer("x"), /^BerthError: strconv\.Atoi: parsing "abc": invalid syntax$/);
  assert.throws(() => query.integer("y"), /invalid syntax/);
  assert.throws(() => query.requiredInteger("h"), /parsing "": invalid syntax/);
});

test("filters come in two forms", () => {
  const filters = (json: string) => new Query(`filters=${encodeURIComponent(json)}`).filters();
  assert.deepEqual(filters('{"status":{"running":true,"paused":false}}'), { status: ["running", "paused"] });
  assert.deepEqual(filters('{"label":["a","b=c"]}'), { label: ["a", "b=c"] });
  assert.deepEqual([filters("{}"), filters("null"), new Query("x=1").filters()], [{}, {}, {}]);
  for (const wrong of ["xx", "[]", '{"a":"b"}', '{"a":[1]}', '{"a":{"b":1}}']) {
    assert.throws(() => filters(wrong), /^BerthError: invalid filter$/);
  }
});

test("a time of 0 is none", () => {
  assert.equal(new Query("since=0").time("since"), undefined);
});
