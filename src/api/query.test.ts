import assert from "node:assert/strict";
import { test } from "node:test";
import { Query } from "./query.ts";
import { parseTime } from "./time.ts";

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

test("times come as seconds, RFC 3339 or durations", () => {
  assert.equal(parseTime("1136073600.25").toISOString(), "2006-01-01T00:00:00.250Z");
  assert.equal(parseTime("2006-01-02T15:04:05.5Z").toISOString(), "2006-01-02T15:04:05.500Z");
  assert.equal(parseTime("2006-01-02T15:04:05+01:00").toISOString(), "2006-01-02T14:04:05.000Z");
  const now = Date.parse("2020-01-01T02:00:00Z");
  assert.equal(parseTime("1h30m", now).toISOString(), "2020-01-01T00:30:00.000Z");
  assert.equal(parseTime("-1.5s", now).toISOString(), "2020-01-01T02:00:01.500Z");
  for (const wrong of ["abc", "1x", "1h 2m"]) assert.throws(() => parseTime(wrong), /ParseInt/);
  assert.equal(new Query("since=0").time("since"), undefined);
});
