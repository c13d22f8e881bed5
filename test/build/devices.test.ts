// Devices that the administrator has described (CDI) and a step asks for.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { busyboxImage, dockerArchive } from "../support/images.ts";
import { ContextDirectory, failedBuild } from "./support.ts";

const daemon = new TestDaemon("build-devices");
const specifications = new ContextDirectory({ "mounted/file": "mounted" });
const describeDevices = (zero: string): void =>
  specifications.write({
    "a.json": JSON.stringify({
      cdiVersion: "0.6.0",
      kind: "example.com/device",
      containerEdits: { env: ["COMMON=1"] },
      devices: [
        {
          name: "zero",
          containerEdits: {
            env: [`WHICH=${zero}`],
            deviceNodes: [{ path: "/dev/other", hostPath: "/dev/zero", permissions: "r" }],
            mounts: [
              {
                hostPath: specifications.path,
                containerPath: "/opt/device",
                options: ["ro", "nosuid", "bind"],
              },
            ],
          },
        },
        {
          name: "free",
          annotations: {
            "org.mobyproject.buildkit.device.class": "harmless",
            "org.mobyproject.buildkit.device.autoallow": "true",
          },
          containerEdits: { env: ["FREE=1"] },
        },
      ],
    }),
    "hooked.json": JSON.stringify({
      kind: "example.com/hooked",
      devices: [
        { name: "x", containerEdits: { hooks: [{ hookName: "createContainer", path: "/bin/true" }] } },
      ],
    }),
  });
before(async () => {
  describeDevices("first");
  await daemon.up("--cdi-spec-dir", specifications.path);
  await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
});
after(async () => {
  await daemon.end();
  specifications[Symbol.dispose]();
  assert.deepEqual(daemon.leftovers(), []);
});

const build = (run: string, ...allow: string[]) =>
  daemon.berth(["build", "-t", "device", ...allow.flatMap((name) => ["--allow", name]), "-"], {
    input: `FROM busybox\nRUN ${run}`,
  });
const inImage = (command: string): Promise<string> =>
  daemon.ok(["run", "--rm", "device", "sh", "-c", command]);

test("a step has the devices that it asks for, when it may", async () => {
  const run =
    "--device=example.com/device=zero { head -c 3 /dev/other | wc -c; cat /opt/device/mounted/file; echo; echo $WHICH $COMMON; } > /seen";
  const refused = await build(run);
  assert.match(
    refused.stderr,
    /the device example\.com\/device=zero is not allowed: build with --allow device=/,
  );
  for (const allow of ["device", "device=example.com/device", "device=example.com/device=zero"]) {
    const built = await build(run, allow);
    assert.equal(built.code, 0, built.stderr);
  }
  assert.equal(
    await inImage("cat /seen; ls -d /opt 2>/dev/null; ls /dev/other 2>/dev/null; true"),
    "3\nmounted\nfirst 1",
  );
  // What a device is decides the step.
  assert.match((await build(run, "device")).stderr, /cached/);
  describeDevices("second");
  assert.doesNotMatch((await build(run, "device")).stderr, /cached/);
  assert.match(await inImage("cat /seen"), /second/);
});

test("names: the first of a kind, all of them, those of a class; none at all", async () => {
  const seen = "env | grep -E 'FREE|WHICH|COMMON' | sort | tr '\\n' ' ' > /seen";
  for (const [name, expected, ...allow] of [
    ["example.com/device", "COMMON=1 WHICH=second", "device"],
    ["example.com/device=*", "COMMON=1 FREE=1 WHICH=second", "device"],
    ["harmless", "COMMON=1 FREE=1"],
    ["example.com/device=free,required", "COMMON=1 FREE=1"],
    ["example.com/none", ""],
  ] as const) {
    const built = await build(`--device=${name} ${seen}`, ...allow);
    assert.equal(built.code, 0, built.stderr);
    if (expected === "")
      assert.match(built.stderr, /the device example\.com\/none is not registered, and left out/);
    assert.equal(await inImage("cat /seen"), expected);
  }
  const required = await build("--device=example.com/none,required true");
  assert.match(required.stderr, /required device "example\.com\/none" is not registered\n/);
  specifications.write({ "b.yaml": "kind: example.com/none" });
  const yaml = await build("--device=example.com/none,required=true true");
  assert.match(yaml.stderr, /is not registered; \S+b\.yaml is not read: specifications are to be in JSON/);
  rmSync(join(specifications.path, "b.yaml"));
  assert.match((await build("--device=example.com/hooked true", "device")).stderr, /needs hooks/);
});

test("what is no device", async () => {
  for (const [flag, message] of [
    ["--device", /missing a value on flag: --device/],
    ["--device=", /invalid device name: ""/],
    ["--device=../x", /invalid device name/],
    ["--device=a/b=c,optional", /unexpected key 'optional' in 'a\/b=c,optional'/],
  ] as const) {
    const { stderr } = await failedBuild(daemon, { Dockerfile: `FROM busybox\nRUN ${flag} true` });
    assert.match(stderr, message);
    assert.match(stderr, /Dockerfile:2:5/);
  }
});
