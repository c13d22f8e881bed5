// systemd as the first process of a container: what people run who have a whole system in an image.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { detectLayout } from "../../src/runtime/cgroup/layout.ts";
import { programFiles } from "../build/programs.ts";
import { TestDaemon, until } from "../support/daemon.ts";
import { busyboxLayer, dockerArchive, type TestImage, tarOf } from "../support/images.ts";

const program = "/lib/systemd/systemd";
const skip = existsSync(program)
  ? false
  : `${program} is not on this machine, whose systemd the image would have`;

const unit = `[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cat /proc/self/cgroup > /run/groups; echo the unit ran > /dev/console'
`;
const hangup = `[Unit]
DefaultDependencies=no
Before=job.service
[Service]
Type=oneshot
StandardInput=tty
TTYPath=/dev/console
TTYReset=yes
TTYVHangup=yes
ExecStart=/bin/true
`;
const later = `[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
MemoryMax=32M
ExecStart=/bin/sh -c 'echo a later one too > /dev/console'
`;
const target = `[Unit]
Description=Everything
AllowIsolate=yes
Wants=hangup.service job.service
`;

/** This machine's systemd, with units of the tests' own. */
function systemImage(): TestImage {
  const files = programFiles(program, "/lib/systemd/systemd-shutdown", "/bin/systemctl");
  const members = Object.entries(files).map(([path, data]) => ({ name: path.slice(1), mode: 0o755, data }));
  const own = "/lib/systemd/system";
  const halting = ["halt.target", "shutdown.target", "umount.target", "final.target", "systemd-halt.service"];
  const theirs = Object.fromEntries(halting.map((name) => [name, readFileSync(join(own, name))]));
  const units = {
    ...theirs,
    "default.target": target,
    "job.service": unit,
    "hangup.service": hangup,
    "later.service": later,
  };
  return {
    tags: ["system:latest"],
    layers: [
      busyboxLayer(),
      tarOf([
        ...members,
        ...Object.entries(units).map(([name, data]) => ({ name: `etc/systemd/system/${name}`, data })),
        { name: "etc/machine-id", data: "" },
        { name: "run/", type: "directory", mode: 0o755 },
      ]),
    ],
    config: { Cmd: [program], Env: ["PATH=/bin", "container=docker"], StopSignal: "RTMIN+3" },
  };
}

describe("systemd as the first process", { skip }, () => {
  let daemon: TestDaemon;
  before(async () => {
    daemon = await TestDaemon.start("systemd");
    await daemon.ok(["load"], { input: dockerArchive([systemImage()]) });
  });
  after(async () => {
    await daemon.end();
    assert.deepEqual(daemon.leftovers(), []);
  });

  /** The groups of the machine's own at the top of every hierarchy. */
  const tops = (): string[] => {
    const { hierarchies, unified } = detectLayout();
    const roots = [...hierarchies, ...(unified ? [unified] : [])].map(({ mountpoint }) => mountpoint);
    return roots.flatMap((root) =>
      readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && /\.(scope|slice|mount|service)$/.test(entry.name))
        .map(({ name }) => join(root, name)),
    );
  };

  const memory = ["/run", "/run/lock", "/tmp"].flatMap((path) => ["--tmpfs", `${path}:exec`]);
  const ways: Record<string, string[]> = {
    "with ids of its own": ["--security-opt", "writable-cgroups=true", ...memory],
    privileged: ["--privileged"],
    "privileged, with groups of its own": ["--privileged", "--cgroupns", "private"],
  };
  for (const [way, options] of Object.entries(ways))
    test(way, async () => {
      const before = tops();
      const name = way.split(/\W/).join("-");
      const id = await daemon.ok([
        "run",
        "-d",
        "-t",
        "--name",
        name,
        "--network",
        "none",
        ...options,
        "system",
      ]);
      const state = () => daemon.docker(["exec", name, "systemctl", "is-system-running"]);
      await until("it is up", async () => /^(running|degraded)/.test((await state()).stdout));
      assert.equal((await state()).stdout, "running\n");
      const groups = await daemon.ok(["exec", name, "cat", "/run/groups"]);
      assert.match(groups, /system\.slice\/job\.service$/m);
      // What it makes for its services is below the container's own groups.
      const outside = readFileSync(
        `/proc/${await daemon.ok(["inspect", "-f", "{{.State.Pid}}", name])}/cgroup`,
        "latin1",
      );
      assert.match(outside, new RegExp(`${id}.*/init\\.scope$`, "m"));
      assert.deepEqual(tops(), before, "the machine's own groups are as they were");
      await daemon.ok(["exec", name, "systemctl", "start", "later.service"]);
      // Its terminal was hung up by a unit before these.
      await until("its console says so", async () => {
        const said = await daemon.ok(["logs", name]);
        return said.includes("the unit ran") && said.includes("a later one too");
      });
      await daemon.ok(["stop", "-t", "20", name]);
      // Who may not halt the machine ends, who may is ended by the kernel, as by SIGINT.
      const code = options.includes("--privileged") ? "130" : "0";
      assert.equal(await daemon.ok(["inspect", "-f", "{{.State.ExitCode}}", name]), code);
      await daemon.ok(["rm", name]);
      assert.deepEqual(tops(), before, "the machine's own groups are as they were");
    });
});
