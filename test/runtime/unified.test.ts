import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import { detectLayout } from "../../src/runtime/cgroup/layout.ts";
import { type CgroupHost, detectSupport } from "../../src/runtime/cgroup/support.ts";
import { canRun, Fixture } from "./fixture.ts";

/** This machine as if there were only its v2 tree, whatever controllers that has. */
function unifiedHost(): CgroupHost | null {
  const { unified } = detectLayout();
  if (!unified || !existsSync(unified.mountpoint)) return null;
  const layout = { mode: "v2" as const, hierarchies: [], unified };
  return { layout, support: detectSupport(layout) };
}

const host = unifiedHost();
const skip = !canRun ? "needs root" : host ? false : "needs a v2 tree";
const fixture = new Fixture(host ? { cgroups: host } : {});
after(() => fixture.close());

test("on v2 a container is born in its group, sees it as the root, and is kept off devices", {
  skip,
}, async () => {
  const launch = fixture.launch(
    [
      "sh",
      "-c",
      "grep ^0: /proc/self/cgroup; mount | grep -c '/sys/fs/cgroup type cgroup2'; cat /sys/fs/cgroup/cgroup.procs; head -c 1 /dev/mem | wc -c; head -c 2 /dev/zero | wc -c",
    ],
    (l) => l.spec.linux.devices?.push({ type: "c", path: "/dev/mem", major: 1, minor: 1 }),
  );
  launch.spec.linux.resources = { devices: launch.spec.linux.resources?.devices };
  const { stdout, stderr } = await fixture.run(launch);
  assert.match(stdout, /^0::\/\n1\n1\n\d+\n0\n2\n$/);
  assert.match(stderr, /\/dev\/mem: Operation not permitted/);
});

test("an exec joins the group too", { skip }, async () => {
  const launch = fixture.launch(["sleep", "1000"]);
  launch.spec.linux.resources = {};
  const shim = await fixture.runtime.start(launch);
  const exec = fixture.exec(shim, launch, ["sh", "-c", "exit $(grep -c . /sys/fs/cgroup/cgroup.procs)"]);
  const status = await (await fixture.runtime.exec(exec)).exited;
  assert.ok(status.exitCode >= 2, `${status.exitCode} processes in the group`);
  await shim.signal(9);
  await shim.exited;
});
