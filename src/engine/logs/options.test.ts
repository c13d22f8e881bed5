import assert from "node:assert/strict";
import { test } from "node:test";
import { checkLogOptions } from "./check.ts";
import { logAttributes } from "./options.ts";
import { expandTag } from "./tag.ts";

test("options that cannot be are refused with dockerd's words", () => {
  const refused: [string, Record<string, string>, string][] = [
    ["foo", {}, "logger: no log driver named 'foo' is registered"],
    ["json-file", { foo: "1" }, "unknown log opt 'foo' for json-file log driver"],
    ["local", { labels: "x" }, "unknown log opt 'labels' for log driver local"],
    ["json-file", { "max-size": "x" }, "failed to initialize logging driver: invalid size: 'x'"],
    [
      "json-file",
      { "max-size": "0" },
      "failed to initialize logging driver: max-size must be a positive number",
    ],
    ["json-file", { "max-file": "0" }, "failed to initialize logging driver: max-file cannot be less than 1"],
    [
      "json-file",
      { compress: "true" },
      "failed to initialize logging driver: compress cannot be true when max-file is less than 2 or max-size is not set",
    ],
    ["json-file", { mode: "x" }, "logger: logging mode not supported: x"],
    [
      "json-file",
      { "max-buffer-size": "1m" },
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ],
  ];
  for (const [driver, options, message] of refused) {
    assert.throws(() => checkLogOptions(driver, options), { code: "INVALID_PARAMETER", message });
  }
  assert.throws(() => checkLogOptions("json-file", { "env-regex": "(" }), /initialize logging driver/);
  assert.throws(() => checkLogOptions("json-file", { tag: "{{.Foo" }), /template: log-tag:1/);
  checkLogOptions("none", {});
  checkLogOptions("local", { "max-size": "1m", "max-file": "2", compress: "true", mode: "non-blocking" });
  checkLogOptions("json-file", { labels: "a,b", env: "c", "labels-regex": "^x", tag: "{{.Name}}" });
});

test("labels and variables are chosen by name and pattern", () => {
  const config = { Labels: { ab: "1", ba: "2", c: "3" }, Env: ["FOO=x=y", "BAR=2"] };
  assert.deepEqual(logAttributes({ labels: "c", "labels-regex": "^a", "env-regex": "^F" }, config), {
    ab: "1",
    c: "3",
    FOO: "x=y",
  });
  assert.deepEqual(logAttributes({}, config), {});
});

test("a tag's fields", () => {
  const record = {
    id: "0123456789abcdef",
    name: "web",
    imageId: "sha256:fedcba9876543210",
    config: { Image: "nginx" },
  };
  assert.equal(
    expandTag("{{.Name}}/{{ .ID }} {{.ImageName}} {{.ImageID}} }} plain", record),
    "web/0123456789ab nginx fedcba987654 }} plain",
  );
  assert.throws(() => expandTag("{{lower .Name}}", record), /cannot read/);
});
