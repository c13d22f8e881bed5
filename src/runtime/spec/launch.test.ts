import assert from "node:assert/strict";
import { test } from "node:test";
import { testSpec } from "../../../test/runtime/fixture.ts";
import { operations, type Slot } from "../plan/ops.ts";
import { type Plan, phases, type Step } from "../plan/plan.ts";
import type { ContainerLaunch } from "../types.ts";
import { hostId } from "./context.ts";
import { planContainer, type SeccompProgram } from "./launch.ts";
import { parseOptions } from "./options.ts";

const seccomp: SeccompProgram = { program: Buffer.alloc(8), flags: 0 };

function plan(change: (launch: ContainerLaunch) => void = () => undefined, layers = true): Plan {
  const launch: ContainerLaunch = {
    id: "a".repeat(64),
    spec: testSpec(["true"]),
    rootfs: {
      dataRoot: "/data",
      lower: ["/data/layers/2/fs", "/data/layers/1/fs"],
      rw: "/data/containers/a/rw",
    },
    stdio: { tty: false, stdin: false, stdinOnce: false, waitForAttach: 0 },
    log: { driver: "none", path: "", maxSize: 0, maxFile: 1 },
    init: false,
  };
  change(launch);
  const machine = {
    shims: "/run/berth/shims",
    features: { idmappedOverlay: true, overlayLayerList: layers },
    limits: { hard: new Map([[7, 1000n]]), mayRaise: true },
    stallSeconds: 60,
  };
  return planContainer(launch, machine, null, seccomp).plan;
}

const named = (steps: readonly Step[], op: string) => steps.filter((step) => step.op === op);
const position = (steps: readonly Step[], op: string) => steps.findIndex((step) => step.op === op);
const isSlot = (value: unknown): value is Slot =>
  typeof value === "object" && value !== null && "index" in value;

/** Every descriptor is made before it is used, over all phases in their order. */
function checkSlots(made: Plan): void {
  const filled = new Set([made.process.index]);
  for (const phase of phases)
    for (const step of made.steps[phase])
      [...operations[step.op]].forEach((letter, i) => {
        const value = step.args[i];
        if (!isSlot(value)) return;
        if (letter === "o") filled.add(value.index);
        else assert.ok(filled.has(value.index), `${phase} ${step.op}: {${value.name}} is not made yet`);
      });
}

test("each descriptor is made before it is used", () => {
  checkSlots(plan());
  checkSlots(plan(undefined, false));
  checkSlots(
    plan((launch) => {
      launch.rootfs.ownDisk = true;
    }),
  );
  checkSlots(
    plan((launch) => {
      launch.stdio.tty = true;
      launch.spec.process.terminal = true;
    }),
  );
  checkSlots(
    plan(({ spec }) => {
      spec.linux.namespaces = [
        { type: "user", path: "/proc/9/ns/user" },
        { type: "network", path: "/proc/9/ns/net" },
        { type: "mount" },
        { type: "pid" },
      ];
    }),
  );
});

test("the host's tree goes before the process may wait, all that was staged in one unmount before exec", () => {
  const made = plan();
  const { child } = made.steps;
  assert.equal(named(child, "umount2").length, 2);
  assert.equal(made.part(0, 1).steps.child.at(-1)?.op, "umount2");
  const last = child.findLastIndex(({ op }) => op === "umount2");
  assert.equal(last, child.findLastIndex(({ op }) => op === "pivot_root") + 1);
  assert.equal(child.at(-1)?.op, "execve");
  for (const step of child.slice(last))
    assert.ok(!["mount", "move_mount", "mask_path", "readonly_path"].includes(step.op));
});

test("the filter comes before capabilities go, or last with no-new-privileges", () => {
  const before = plan().steps.child;
  assert.ok(position(before, "seccomp") < position(before, "capset"));
  const after = plan(({ spec }) => {
    spec.process.noNewPrivileges = true;
  }).steps.child;
  assert.equal(position(after, "seccomp"), after.length - 2);
  assert.ok(position(after, "capset") < position(after, "seccomp"));
});

test("privileges go in the order that lets each step still have its rights", () => {
  const { child } = plan().steps;
  const order = ["pivot_root", "chdir", "stdio", "capbset_drop", "setresuid", "capset", "execve"];
  const last = (op: string) => child.findLastIndex((step) => step.op === op);
  assert.deepEqual(
    order.map(last),
    order.map(last).toSorted((a, b) => a - b),
  );
});

test("without a user namespace there is no id map, and mounts are not mapped", () => {
  const { parent, child } = plan(({ spec }) => {
    spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "user");
  }).steps;
  assert.ok(![...parent, ...child].some((step) => step.args.includes("uid_map")));
  assert.deepEqual(named(parent, "mount_setattr"), []);
});

test("what belongs to a joined user namespace is made inside it", () => {
  const { child, parent } = plan(({ spec }) => {
    spec.linux.namespaces = [
      { type: "user", path: "/proc/9/ns/user" },
      { type: "network", path: "/proc/9/ns/net" },
      { type: "mount" },
      { type: "pid" },
    ];
  }).steps;
  assert.deepEqual(
    child.map(({ op }) => op).filter((op) => op === "setns" || op === "clone_parent"),
    ["setns", "setns", "clone_parent"],
  );
  assert.ok(!parent.some((step) => step.args.includes("uid_map")));
});

test("limits are raised by the host and lowered by the process", () => {
  const { parent, child } = plan(({ spec }) => {
    spec.process.rlimits = [
      { type: "RLIMIT_NOFILE", soft: 5000, hard: 5000 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
    ];
  }).steps;
  assert.deepEqual(
    named(parent, "prlimit").map(({ args }) => args[0]),
    [7],
  );
  assert.deepEqual(
    named(child, "prlimit").map(({ args }) => args[0]),
    [4],
  );
});

test("settings are paths below /proc/sys in both spellings", () => {
  const { child } = plan(({ spec }) => {
    spec.linux.sysctl = { "net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/forwarding": "1" };
  }).steps;
  assert.deepEqual(
    named(child, "write_sysctl").map(({ args }) => args[1]),
    ["net/ipv4/ip_forward", "net/ipv4/conf/eth0.1/forwarding"],
  );
});

test("paths outside the data root are refused", () => {
  assert.throws(
    () =>
      plan((launch) => {
        launch.rootfs.lower = ["/elsewhere"];
      }),
    /not below the data root/,
  );
});

test("mount options are sorted", () => {
  const parsed = parseOptions(["rbind", "ro", "nosuid", "rslave", "size=1m", "defaults"]);
  assert.deepEqual(parsed, {
    set: 0x3,
    clear: 0,
    recursive: true,
    bind: "rbind",
    propagation: 1 << 19,
    propagationRecursive: true,
    data: ["size=1m"],
  });
  assert.equal(parseOptions(["bind", "ro"]).recursive, false);
  assert.equal(parseOptions(["rbind", "ro", "norro"]).recursive, false);
  assert.equal(parseOptions(["ro", "rw"]).set, 0);
  assert.equal(parseOptions(["strictatime"]).clear & 0x70, 0x70);
});

test("ids map into their range or nowhere", () => {
  const range = [{ containerID: 0, hostID: 1000, size: 10 }];
  assert.deepEqual(
    [hostId(range, 0), hostId(range, 9), hostId(range, 10), hostId(undefined, 7)],
    [1000, 1009, -1, 7],
  );
});
