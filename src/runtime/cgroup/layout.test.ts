import assert from "node:assert/strict";
import { test } from "node:test";
import { availableControllers, detectLayout, hierarchyOf, parseLayout } from "./layout.ts";

const none = () => "";

test("a hybrid machine: v1 controllers beside a v2 tree", () => {
  const layout = parseLayout({
    mountinfo: `23 1 254:0 / / rw - ext4 /dev/root rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`,
    membership: "9:name=systemd:/init\n4:memory:/a/b\n1:cpu,cpuacct:/\n0::/\n",
    controllers: (directory) => (directory === "/sys/fs/cgroup/unified" ? "hugetlb\n" : ""),
  });
  assert.equal(layout.mode, "hybrid");
  assert.deepEqual(hierarchyOf(layout, "cpuacct"), {
    controllers: ["cpu", "cpuacct"],
    mountpoint: "/sys/fs/cgroup/cpu,cpuacct",
    own: "/",
  });
  assert.equal(hierarchyOf(layout, "memory")?.own, "/a/b");
  assert.equal(layout.hierarchies.find((hierarchy) => hierarchy.name === "systemd")?.own, "/init");
  assert.deepEqual(layout.unified?.controllers, ["hugetlb"]);
  assert.deepEqual(availableControllers(layout).sort(), ["cpu", "cpuacct", "hugetlb", "memory"]);
});

test("a v1 machine, seen from inside a container with part of the trees mounted", () => {
  const layout = parseLayout({
    mountinfo:
      "50 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n" +
      "51 31 0:33 /docker/abc /mnt/with\\040space ro - cgroup cgroup rw,pids\n",
    membership: "4:memory:/docker/abc/child\n8:pids:/docker/abc\n3:cpuset:/docker/abc\n",
    controllers: none,
  });
  assert.equal(layout.mode, "v1");
  assert.equal(hierarchyOf(layout, "memory")?.own, "/child");
  assert.deepEqual(hierarchyOf(layout, "pids")?.mountpoint, "/mnt/with space");
  assert.equal(hierarchyOf(layout, "cpuset"), undefined);
});

test("a v2 machine", () => {
  const layout = parseLayout({
    mountinfo: "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
    membership: "0::/system.slice/berth.service\n",
    controllers: (directory) =>
      directory === "/sys/fs/cgroup" ? "cpuset cpu io memory pids\n" : "memory pids\n",
  });
  assert.equal(layout.mode, "v2");
  assert.deepEqual(layout.hierarchies, []);
  assert.deepEqual(layout.unified?.controllers, ["cpuset", "cpu", "io", "memory", "pids"]);
});

test("this machine has a layout", () => {
  const layout = detectLayout();
  assert.ok(layout.hierarchies.length > 0 || layout.unified);
});
