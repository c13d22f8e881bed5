import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boundingSet,
  capabilitiesOf,
  capabilityMask,
  capabilityNames,
  capabilityNumber,
  chooseCapabilities,
  normalizeCapabilities,
} from "./capabilities.ts";
import { defaultCapabilities } from "./defaults.ts";

test("numbers are those of capability.h", () => {
  assert.equal(capabilityNumber("CAP_CHOWN"), 0);
  assert.equal(capabilityNumber("CAP_SYS_ADMIN"), 21);
  assert.equal(capabilityNumber("CAP_SYS_RESOURCE"), 24);
  assert.equal(capabilityNumber("CAP_CHECKPOINT_RESTORE"), 40);
  assert.equal(capabilityMask(defaultCapabilities), 0xa80425fbn);
  assert.deepEqual(capabilitiesOf(capabilityMask(capabilityNames)), [...capabilityNames]);
});

test("names are taken in any case, with and without the prefix", () => {
  assert.deepEqual(normalizeCapabilities(["net_admin", "CAP_chown", "all"], "CapAdd"), [
    "CAP_NET_ADMIN",
    "CAP_CHOWN",
    "ALL",
  ]);
});

test("unknown and unavailable names have dockerd's texts", () => {
  assert.throws(() => normalizeCapabilities(["FOO"], "CapAdd"), {
    message: 'invalid CapAdd: unknown capability: "CAP_FOO"',
    code: "INVALID_PARAMETER",
  });
  assert.throws(() => normalizeCapabilities(["cap_bar"], "CapDrop"), {
    message: 'invalid CapDrop: unknown capability: "CAP_BAR"',
  });
  assert.throws(() => chooseCapabilities({ add: ["SYS_RESOURCE"] }, defaultCapabilities, ["CAP_CHOWN"]), {
    message: /not available in the current environment: "CAP_SYS_RESOURCE"/,
  });
});

test("add and drop change the default list", () => {
  const plain = chooseCapabilities({}, defaultCapabilities);
  assert.deepEqual(plain, { capabilities: [...defaultCapabilities], warnings: [] });
  const tuned = chooseCapabilities({ add: ["net_admin", "chown"], drop: ["MKNOD"] }, defaultCapabilities);
  assert.ok(tuned.capabilities.includes("CAP_NET_ADMIN"));
  assert.ok(!tuned.capabilities.includes("CAP_MKNOD"));
  assert.equal(tuned.capabilities.filter((name) => name === "CAP_CHOWN").length, 1);
  assert.deepEqual(chooseCapabilities({ add: ["kill"], drop: ["all"] }, defaultCapabilities).capabilities, [
    "CAP_KILL",
  ]);
});

test("all, minus what is dropped and what this process lacks", () => {
  const available = capabilityNames.filter((name) => name !== "CAP_SYS_RESOURCE");
  const all = chooseCapabilities({ add: ["ALL"], drop: ["SYS_BOOT"] }, defaultCapabilities, available);
  assert.equal(all.capabilities.length, capabilityNames.length - 2);
  assert.match(all.warnings[0] ?? "", /lacks CAP_SYS_RESOURCE/);
  const privileged = chooseCapabilities(
    { privileged: true, drop: ["SYS_BOOT"] },
    defaultCapabilities,
    available,
  );
  assert.deepEqual(privileged.capabilities, available);
});

test("the bounding set is read from a status file", () => {
  assert.deepEqual(boundingSet("Name:\tx\nCapBnd:\t0000000000000021\nCapAmb:\t0\n"), [
    "CAP_CHOWN",
    "CAP_KILL",
  ]);
  assert.ok(boundingSet().length > 0);
});
