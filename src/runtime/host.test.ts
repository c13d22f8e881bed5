import assert from "node:assert/strict";
import { test } from "node:test";
import { capabilityNames } from "./capabilities.ts";
import { v2Host } from "./cgroup/testing.ts";
import { examineHost, type HostFacts, hostFacts, requireFitHost } from "./host.ts";

const fit: HostFacts = {
  uid: 0,
  kernel: "6.1.0-18-amd64",
  capabilities: capabilityNames,
  overlay: true,
  userNamespaces: 15000,
  seccomp: true,
  cgroups: v2Host().layout,
};

test("a fit machine", () => {
  assert.deepEqual(examineHost(fit), { obstacles: [], remarks: [] });
  assert.deepEqual(requireFitHost(fit), []);
});

test("what is missing, and how to get it", () => {
  const obstacle = (more: Partial<HostFacts>) => examineHost({ ...fit, ...more }).obstacles;
  assert.match(obstacle({ uid: 1000 }).join(), /sudo/);
  assert.match(obstacle({ capabilities: [] }).join(), /CAP_SYS_ADMIN.*--privileged/);
  assert.match(obstacle({ kernel: "5.10.0-28-amd64" }).join(), /5\.10\.0-28-amd64 is too old.*5\.15/);
  assert.match(obstacle({ overlay: false }).join(), /modprobe overlay/);
  assert.match(obstacle({ cgroups: { mode: "v2", hierarchies: [] } }).join(), /mount -t cgroup2/);
  assert.throws(() => requireFitHost({ ...fit, uid: 1, overlay: false }), {
    code: "UNAVAILABLE",
    message: /^Berth cannot run containers here:\n {2}- .*sudo\n {2}- .*overlay/,
  });
});

test("what containers will lack", () => {
  const remarks = (more: Partial<HostFacts>) => examineHost({ ...fit, ...more }).remarks.join();
  assert.match(remarks({ kernel: "5.15.0" }), /5\.19/);
  assert.match(remarks({ userNamespaces: 0 }), /user\.max_user_namespaces/);
  assert.match(remarks({ seccomp: false }), /seccomp=unconfined/);
  assert.match(remarks({ capabilities: ["CAP_SYS_ADMIN"] }), /CAP_SYS_RESOURCE/);
  const cgroups = v2Host().layout;
  if (cgroups.unified) cgroups.unified.controllers = ["cpu", "cpuset", "pids"];
  assert.match(remarks({ cgroups }), /memory controller is missing.*cgroup_enable=memory/);
});

test("this machine's facts can be read", () => {
  assert.ok(hostFacts().kernel.length > 0);
});
