import assert from "node:assert/strict";
import { test } from "node:test";
import { alignColumns } from "./columns.ts";
import { indentJson, parseJson } from "./json.ts";
import { showPorts } from "./ports.ts";
import { checkReference, parseReference, withDefaultTag } from "./reference.ts";

test("columns are as wide as their widest cell; the last is not padded", () => {
  const text = "ID\tNAME\tX\nabcdefghijkl\tn\t\n";
  assert.equal(
    alignColumns(text, { minWidth: 10, padding: 3 }),
    "ID             NAME      X\nabcdefghijkl   n         \n",
  );
});

test("a line without a column parts the tables above and below it", () => {
  const text = "a\tb\nplain\nlonger\tb\n";
  assert.equal(alignColumns(text, { minWidth: 0, padding: 1 }), "a b\nplain\nlonger b\n");
});

test("JSON is indented without being read", () => {
  assert.equal(
    indentJson('{"a":[1.0,{}],"b":"\\u003c,{\\"","c":[]}'),
    '{\n    "a": [\n        1.0,\n        {}\n    ],\n    "b": "\\u003c,{\\"",\n    "c": []\n}',
  );
  assert.equal((parseJson('{"a":1763957277304502509}') as { a: bigint }).a, 1763957277304502509n);
});

test("ports are listed in runs", () => {
  const port = (PrivatePort: number, PublicPort = 0, IP = "0.0.0.0", Type = "tcp") => ({
    IP,
    PrivatePort,
    PublicPort,
    Type,
  });
  assert.equal(showPorts([]), "");
  assert.equal(
    showPorts([port(80, 80), port(90, 9000), port(81, 81), port(85, 85)]),
    "0.0.0.0:80-81->80-81/tcp, 0.0.0.0:85->85/tcp, 0.0.0.0:9000->90/tcp",
  );
  assert.equal(showPorts([port(80, 8080, "::"), port(80, 8080)]), "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
  assert.equal(showPorts([port(443, 0, ""), port(53, 0, "", "udp")]), "53/udp, 443/tcp");
});

test("references are shown as they are typed", () => {
  assert.deepEqual(parseReference("docker.io/library/busybox:1"), {
    name: "busybox",
    tag: "1",
    digest: undefined,
  });
  assert.deepEqual(parseReference("localhost:5000/x"), {
    name: "localhost:5000/x",
    tag: undefined,
    digest: undefined,
  });
  assert.equal(withDefaultTag("foo"), "foo:latest");
  assert.throws(() => checkReference("X"), {
    message: "invalid reference format: repository name (library/X) must be lowercase",
  });
  assert.throws(() => checkReference("a b"), { message: "invalid reference format" });
  for (const good of ["a", "a/b:c", "host.name:1/a/b", "localhost/x", `a@sha256:${"0".repeat(64)}`])
    checkReference(good);
});
