import assert from "node:assert/strict";
import { test } from "node:test";
import { renderContainer } from "./container.ts";
import { renderLaunch } from "./launch.ts";
import type { ContainerExplanation } from "./types.ts";

test("a launch is told by what its calls isolate, in numbered order", () => {
  const text = renderLaunch({
    image: "busybox",
    command: ["sh", "-c", "a b"],
    steps: [
      { phase: "host", group: "cgroup", call: 'mkdirat(AT_FDCWD, "/x", 0755)', why: "the group" },
      { phase: "host", group: "user", call: "clone3(CLONE_NEWUSER)", why: "ids of its own" },
      { phase: "child", group: "something new", call: "umask(022)", why: "" },
    ],
  });
  assert.match(text, /^3 system calls would run \["sh","-c","a b"\] of busybox\./);
  const lines = text.split("\n");
  const user = lines.findIndex((line) => line.startsWith("User: "));
  const cgroup = lines.findIndex((line) => line.startsWith("Control groups: "));
  assert.ok(user > 0 && user < cgroup);
  assert.equal(lines[user + 1], "    2 host    clone3(CLONE_NEWUSER)  # ids of its own");
  assert.equal(lines.at(-3), "something new");
  assert.equal(lines.at(-2), "    3 child   umask(022)");
});

test("a container is told beside the host", () => {
  const explained: ContainerExplanation = {
    id: "0123456789abcdef",
    name: "web",
    image: "busybox",
    command: ["sleep", "1"],
    status: "running",
    pid: 42,
    pidInside: 1,
    user: { uid: 100000, gid: 100000, groups: [] },
    namespaces: [
      { type: "pid", id: "7", host: "3", own: true },
      { type: "net", id: "4", host: "4", own: false },
    ],
    ids: { uid: [{ inside: 0, outside: 100000, size: 65536 }], gid: [{ inside: 5, outside: 5, size: 1 }] },
    cgroups: [
      {
        controllers: ["memory"],
        directory: "/sys/fs/cgroup/memory/x",
        files: [{ name: "memory.limit_in_bytes", value: "64" }],
      },
      { controllers: [], directory: "/sys/fs/cgroup/unified/x", files: [] },
    ],
    mounts: [
      { target: "/", type: "overlay", source: "overlay", root: "/", options: ["rw"], propagation: [] },
    ],
    capabilities: {
      bounding: ["CAP_CHOWN"],
      permitted: ["CAP_CHOWN"],
      effective: ["CAP_CHOWN"],
      inheritable: [],
      ambient: [],
    },
    seccomp: { mode: "filter", filters: 1 },
    noNewPrivileges: true,
    oomScoreAdj: 0,
    limits: [{ name: "open files", soft: "10", hard: "20" }],
  };
  const text = renderContainer(explained);
  for (const line of [
    'web (0123456789ab) is running: ["sleep","1"] of busybox',
    "PID 42 on the host, 1 inside",
    "  pid    7                  3             processes",
    "  net    4                  the same      network",
    "  users 0-65535 inside   100000-165535 on the host",
    "  groups 5 inside        the same on the host",
    "  memory: /sys/fs/cgroup/memory/x",
    "    memory.limit_in_bytes   64",
    "  v2: /sys/fs/cgroup/unified/x",
    "  effective     chown",
    "  bounding      the same",
    "  seccomp         filter, 1 of them",
    "  open files   10     20",
  ]) {
    assert.ok(text.split("\n").includes(line), `${line}\nis not in\n${text}`);
  }
});
