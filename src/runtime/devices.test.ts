import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { grantDevice, hostDevices, major, minor, parseDeviceRule } from "./devices.ts";

test("device numbers split as glibc splits them", () => {
  assert.deepEqual([major(0x103), minor(0x103)], [1, 3]);
  const wide = Number((0x12000n << 32n) | (0x345n << 8n) | (0xabc00n << 12n) | 0xcdn);
  assert.deepEqual([major(wide), minor(wide)], [0x12345, 0xabccd]);
});

test("a node is granted under its name in the container", () => {
  const grant = grantDevice("/dev/null", "/dev/hole", "rw");
  assert.equal(grant.devices[0]?.path, "/dev/hole");
  assert.deepEqual(grant.rules, [{ allow: true, type: "c", major: 1, minor: 3, access: "rw" }]);
});

test("what is no device is refused with dockerd's text", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "berth-devices-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "file");
  writeFileSync(file, "");
  symlinkSync("/etc/passwd", join(directory, "link"));
  const text = (path: string, why: string) =>
    `error gathering device information while adding custom device "${path}": ${why}`;
  for (const [path, why] of [
    ["/dev/no-such", "no such file or directory"],
    [file, "not a device node"],
    [join(directory, "link"), "not a device node"],
    [directory, "not a device node"],
  ] as const)
    assert.throws(() => grantDevice(path, path), { message: text(path, why) });
});

test("the host's devices leave out what containers have of their own", () => {
  const paths = hostDevices().map((device) => device.path);
  assert.ok(paths.includes("/dev/null"));
  assert.ok(!paths.some((path) => path.startsWith("/dev/pts/") || path === "/dev/console"));
});

test("device cgroup rules", () => {
  assert.deepEqual(parseDeviceRule("c 10:* rw"), {
    allow: true,
    type: "c",
    major: 10,
    minor: undefined,
    access: "rw",
  });
  assert.equal(parseDeviceRule("a").type, "a");
  assert.throws(() => parseDeviceRule("c 10 rwm"), {
    message: "invalid device cgroup rule format: 'c 10 rwm'",
  });
});
