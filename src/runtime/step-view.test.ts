import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CLONE_NEWNET,
  CLONE_NEWPID,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_RDONLY,
  O_DIRECTORY,
  O_PATH,
} from "./linux.ts";
import { Plan } from "./plan/plan.ts";
import { flagNames, readableStep } from "./step-view.ts";

function shown(add: (plan: Plan) => Plan): string {
  const [step] = add(new Plan()).steps.child;
  assert.ok(step);
  return readableStep(step);
}

test("results are assigned, flags and descriptors have names", () => {
  const root = { index: 1, name: "root" };
  assert.equal(
    shown((plan) => plan.add("child", "openat", [root, null, "/x", O_PATH | O_DIRECTORY, 0], "")),
    '{root} = openat(AT_FDCWD, "/x", O_PATH|O_DIRECTORY, 0)',
  );
  assert.equal(
    shown((plan) =>
      plan.add("child", "mount_setattr", [root, "", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, 0, null], ""),
    ),
    'mount_setattr({root}, "", 0, MOUNT_ATTR_NODEV|MOUNT_ATTR_RDONLY, 0, 0, none)',
  );
  assert.equal(
    shown((plan) => plan.add("child", "setns", [root, CLONE_NEWPID], "")),
    "setns({root}, CLONE_NEWPID)",
  );
  assert.equal(flagNames(CLONE_NEWNET | CLONE_NEWPID), "CLONE_NEWNET|CLONE_NEWPID");
});

test("capabilities, groups, limits and word lists", () => {
  assert.equal(
    shown((plan) => plan.add("child", "capset", [0b1n, 2n ** 64n - 1n, 0], "")),
    "capset(CHOWN, all, none)",
  );
  assert.equal(
    shown((plan) => plan.add("child", "setgroups", [Buffer.from([5, 0, 0, 0, 0, 1, 0, 0])], "")),
    "setgroups([5, 256])",
  );
  assert.equal(
    shown((plan) => plan.add("child", "prlimit", [7, 1024, 2n ** 64n - 1n], "")),
    "prlimit(RLIMIT_NOFILE, 1024, RLIM_INFINITY)",
  );
  assert.equal(
    shown((plan) => plan.add("child", "execve", ["sh\0-c\0a b\0", "A=1\0"], "")),
    'execve(["sh", "-c", "a b"], ["A=1"])',
  );
  assert.equal(
    shown((plan) => plan.add("child", "mkdirat", [null, "d", 0o755], "")),
    'mkdirat(AT_FDCWD, "d", 0755)',
  );
});
