import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { freeze, isFrozen, thaw } from "../../src/runtime/cgroup/freeze.ts";
import { detectLayout } from "../../src/runtime/cgroup/layout.ts";
import { killAll, processesOf } from "../../src/runtime/cgroup/processes.ts";
import { removeCgroup } from "../../src/runtime/cgroup/remove.ts";
import { type CgroupHost, detectSupport } from "../../src/runtime/cgroup/support.ts";
import { canRun, Fixture, useHostUsers } from "../runtime/fixture.ts";

/**
 * The v2 tree of whatever machine this is, as if it were all there is: on a hybrid one it has few
 * controllers, but joining, freezing, killing and device programs are the tree's own.
 */
function v2Only(): CgroupHost | undefined {
  const { unified } = detectLayout();
  if (!unified) return undefined;
  const layout = { mode: "v2" as const, hierarchies: [], unified };
  return { layout, support: detectSupport(layout) };
}

const host = canRun ? v2Only() : undefined;
const skip = host ? false : "needs root and a cgroup2 mount";
const fixture = host ? new Fixture({ cgroups: host }) : undefined;
const launched = new Set<string>();
const delegated = host ? readDelegated() : [];
after(async () => {
  for (const path of launched) if (host) await removeCgroup(host, path);
  await fixture?.close();
  // The root's controllers are handed down as before.
  for (const controller of host ? readDelegated() : [])
    if (!delegated.includes(controller)) writeFileSync(delegationFile(), `-${controller}`);
});

function delegationFile(): string {
  return join(host?.layout.unified?.mountpoint ?? "", "cgroup.subtree_control");
}

function readDelegated(): string[] {
  return readFileSync(delegationFile(), "latin1").split(/\s+/).filter(Boolean);
}

function start(args: string[]) {
  assert.ok(fixture && host);
  const launch = fixture.launch(args, ({ spec }) => {
    useHostUsers(spec);
    spec.linux.resources = { ...spec.linux.resources, pids: undefined };
  });
  const path = launch.spec.linux.cgroupsPath ?? "";
  launched.add(path);
  return { fixture, host, launch, path };
}

test("a container is born in its v2 group, with its execs, frozen and killed by it", { skip }, async () => {
  const { fixture, host, launch, path } = start(["/bin/sleep", "60"]);
  const shim = await fixture.runtime.start(launch);
  assert.match(readFileSync(`/proc/${shim.pid}/cgroup`, "latin1"), new RegExp(`^0::${path}$`, "m"));
  const exec = await fixture.runtime.exec(fixture.exec(shim, launch, ["/bin/sleep", "60"]));
  assert.deepEqual(
    processesOf(host, path),
    [shim.pid, exec.pid].sort((a, b) => a - b),
  );
  await freeze(host, path);
  assert.ok(isFrozen(host, path));
  thaw(host, path);
  assert.ok(!isFrozen(host, path));
  assert.ok(await killAll(host, path));
  assert.equal((await shim.exited).signal, 9);
  await exec.exited;
  await removeCgroup(host, path);
  assert.ok(!existsSync(join(host.layout.unified?.mountpoint ?? "", path)));
});

test("the device program lets pass what the rules allow", { skip }, async () => {
  const { fixture, launch } = start([
    "/bin/sh",
    "-c",
    "mknod /tmp/kmsg c 1 11 && echo made; echo x > /dev/null && echo wrote; head -c 1 /tmp/kmsg; true",
  ]);
  const { stdout, stderr } = await fixture.run(launch);
  assert.equal(stdout, "made\nwrote\n");
  assert.match(stderr, /Operation not permitted/);
});
