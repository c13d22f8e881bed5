import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerCreateRequest } from "@docker/node-sdk";
import { adaptCreateRequest } from "./create-compat.ts";

function adapted(version: number, request: ContainerCreateRequest) {
  const warnings = adaptCreateRequest(request, version);
  return { ...request, warnings };
}

test("what a version did not know is dropped or refused", () => {
  const request = () => ({
    Image: "i",
    HostConfig: { ConsoleSize: [1, 2], Annotations: { a: "b" }, AutoRemove: true, PidsLimit: -1 },
  });
  assert.deepEqual(adapted(50, request()).HostConfig, {
    ...request().HostConfig,
    NetworkMode: "bridge",
    PidsLimit: 0,
  });
  assert.deepEqual(adapted(24, request()).HostConfig, {
    NetworkMode: "bridge",
    AutoRemove: false,
    IpcMode: "shareable",
    PidsLimit: 0,
  });
  const twoNetworks = { NetworkingConfig: { EndpointsConfig: { a: {}, b: {} } } };
  assert.throws(() => adapted(43, twoNetworks), /multiple network endpoints: a, b/);
  assert.doesNotThrow(() => adapted(44, twoNetworks));
});

test("mount options belong to their mount type", () => {
  const request = (): ContainerCreateRequest => ({
    HostConfig: { Mounts: [{ Type: "bind", ReadOnly: true, VolumeOptions: { NoCopy: true } }] },
  });
  assert.throws(() => adapted(42, request()), /VolumeOptions must not be specified on mount type "bind"/);
  assert.deepEqual(adapted(41, request()).HostConfig?.Mounts, [
    { Type: "bind", ReadOnly: true, BindOptions: { ReadOnlyNonRecursive: true } },
  ]);
});

test("a container's MAC address is its endpoint's", () => {
  const old = adapted(43, { MacAddress: "m" });
  assert.deepEqual(
    [old.NetworkingConfig, old.warnings],
    [{ EndpointsConfig: { bridge: { MacAddress: "m" } } }, []],
  );
  const present = adapted(44, { MacAddress: "m", NetworkingConfig: { EndpointsConfig: { default: {} } } });
  assert.deepEqual(present.NetworkingConfig, { EndpointsConfig: { bridge: { MacAddress: "m" } } });
  assert.match(present.warnings[0] ?? "", /now deprecated/);
  assert.equal(present.MacAddress, "m");
});
