import assert from "node:assert/strict";
import { test } from "node:test";
import { namespaceId, parseMountinfo, readIdMap, readStatus } from "./proc.ts";

test("mountinfo: optional fields, escapes, options of mount and file system", () => {
  const text =
    "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n" +
    "37 35 0:5 / /proc ro - proc proc rw\n";
  assert.deepEqual(parseMountinfo(text), [
    {
      target: "/mnt 2",
      type: "ext3",
      source: "/dev/root",
      root: "/mnt1",
      options: ["rw", "noatime", "errors=continue"],
      propagation: ["master:1", "shared:2"],
    },
    { target: "/proc", type: "proc", source: "proc", root: "/", options: ["ro"], propagation: [] },
  ]);
});

test("this process", () => {
  assert.equal(readStatus("self").get("Pid"), String(process.pid));
  assert.match(String(namespaceId("self", "mnt")), /^\d+$/);
  assert.equal(namespaceId("self", "nothing"), null);
  assert.equal(readIdMap(process.pid, "uid")[0]?.inside, 0);
});
