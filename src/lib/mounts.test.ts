import assert from "node:assert/strict";
import { test } from "node:test";
import { mountOf } from "./mounts.ts";
import { parseMountinfo } from "./proc.ts";

const mounts = parseMountinfo(`21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /tmp rw - tmpfs tmpfs rw
23 22 0:6 / /tmp/with\\040blank rw master:7 - tmpfs tmpfs rw
24 22 0:7 / /tmp rw shared:9 master:1 propagate_from:2 - tmpfs tmpfs rw
`);

test("a path is on the deepest mount above it, the last of those at one place", () => {
  assert.equal(mountOf("/tmp", mounts), mounts[3]);
  assert.equal(mountOf("/usr", mounts), mounts[0]);
  assert.deepEqual(mountOf("/tmp", mounts)?.propagation, ["shared:9", "master:1", "propagate_from:2"]);
});
