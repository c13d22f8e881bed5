import assert from "node:assert/strict";
import { test } from "node:test";
import { renderGroup, renderTree } from "./render.ts";
import type { GroupTree } from "./types.ts";

const group = (path: string, more: Partial<GroupTree> = {}): GroupTree => ({
  path,
  controllers: ["memory"],
  processes: 0,
  limits: {},
  usage: {},
  children: [],
  ...more,
});

test("a tree with use and limits, ids shortened", () => {
  const tree = group("/", {
    usage: { memory: 3 << 20, cpuSeconds: 0.5, pids: 3 },
    children: [
      group("/a", {
        limits: { memory: 1 << 20, cpus: 1.5, cpusetCpus: "0", pids: 9 },
        children: [group(`/a/${"0123456789abcdef".repeat(4)}`, { processes: 2 })],
      }),
      group("/b", { limits: { cpuShares: 512 } }),
    ],
  });
  assert.equal(
    renderTree(tree),
    [
      "GROUP                PROCESSES   MEMORY     CPU                  PIDS",
      "/                    0           3MiB       0.500s               3",
      "├─ a                 0           - / 1MiB   - / 1.5 CPUs, on 0   - / 9",
      "│  └─ 0123456789ab   2           -          -                    -",
      "└─ b                 0           -          - / 512 shares       -",
      "",
    ].join("\n"),
  );
});

test("one group in full", () => {
  const shown = renderGroup({
    ...group("/a", { limits: { memory: 1 << 20 }, usage: { memory: 0 } }),
    directories: ["/x/a", "/y/a"],
    members: [{ pid: 7, command: "sleep 1" }],
    children: [],
  });
  assert.match(shown, /^Memory: {7}0B \/ 1MiB$/m);
  assert.match(shown, /^Directories: {2}\/x\/a\n {14}\/y\/a$/m);
  assert.match(shown, /^Processes: {4}7 sleep 1$/m);
});
