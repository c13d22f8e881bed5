import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ContainerLaunch } from "../../src/runtime/types.ts";
import { canRun, Fixture, sh, useHostUsers } from "./fixture.ts";

const skip = canRun ? false : "needs root";
const fixture = new Fixture();
after(() => fixture.close());

const busybox = join(fixture.dataRoot, "layers/1/fs");

/** A launch on a hostile layer below which busybox lies. */
function hostile(
  name: string,
  fill: (dir: string) => void,
  args: string[],
  change = (_: ContainerLaunch) => {},
) {
  const dir = fixture.layer(name, fill);
  return fixture.launch(args, (launch) => {
    launch.rootfs.lower = [dir, busybox];
    change(launch);
  });
}

/** A directory outside that the attacks aim at. */
const victim = join(fixture.root, "victim");
mkdirSync(victim);
writeFileSync(join(victim, "secret"), "untouched");

test("/proc, /dev and /sys as links to elsewhere stay inside", { skip }, async () => {
  const launch = hostile(
    "links",
    (dir) => {
      for (const [name, target] of [
        ["proc", "/tmp/p"],
        ["dev", victim],
        ["sys", "../../../../../../tmp/s"],
      ] as const)
        symlinkSync(target, join(dir, name));
    },
    ["/bin/sh", "-c", "/bin/ls -l / ; /bin/ls /tmp/p/self/status /dev/null"],
  );
  const { stdout, exitCode } = await fixture.run(launch);
  assert.equal(exitCode, 0, stdout);
  assert.ok(!existsSync(join(victim, "null")));
  assert.ok(!existsSync("/tmp/p") && !existsSync("/tmp/s"));
  assert.match(stdout, /\/tmp\/p\/self\/status/);
  assert.ok(
    existsSync(join(launch.rootfs.rw, "upper", victim)),
    "the link's target was made inside the root",
  );
});

test("a mount target that is a link to the host's file is resolved inside", { skip }, async () => {
  const source = join(fixture.root, "resolv.conf");
  writeFileSync(source, "nameserver 192.0.2.1\n");
  const launch = hostile(
    "etc-link",
    (dir) => {
      mkdirSync(join(dir, "etc"));
      symlinkSync(join(victim, "secret"), join(dir, "etc/resolv.conf"));
    },
    ["cat", "/etc/resolv.conf"],
    (l) =>
      l.spec.mounts.push({ destination: "/etc/resolv.conf", source, type: "bind", options: ["bind", "ro"] }),
  );
  assert.equal((await fixture.run(launch)).stdout, "nameserver 192.0.2.1\n");
  assert.equal(readFileSync(join(victim, "secret"), "utf8"), "untouched");
});

test("a working directory through a descriptor is refused", { skip }, async () => {
  for (let fd = 3; fd < 40; fd++) {
    const launch = fixture.launch(["ls"], (l) => {
      useHostUsers(l.spec);
      l.spec.process.cwd = `/proc/self/fd/${fd}`;
    });
    const outcome = await fixture.run(launch).then(
      ({ stdout }) => `ran: ${stdout}`,
      (error: Error) => error.message,
    );
    assert.doesNotMatch(outcome, /^ran/);
  }
});

test("the same for an exec, where descriptors of the host are around", { skip }, async () => {
  const launch = fixture.launch(["sleep", "1000"], (l) => useHostUsers(l.spec));
  const shim = await fixture.runtime.start(launch);
  for (let fd = 0; fd < 40; fd++) {
    const exec = fixture.exec(shim, launch, ["/bin/ls"]);
    exec.process.cwd = `/proc/self/fd/${fd}`;
    await assert.rejects(fixture.runtime.exec(exec), /chdir to cwd/);
  }
  await shim.signal(9);
  await shim.exited;
});

test("no descriptor but the standard streams is open", { skip }, async () => {
  const leak = openSync("/etc/hostname", "r");
  try {
    const { stdout } = await fixture.run(
      fixture.launch(["sh", "-c", "for fd in /proc/self/fd/*; do echo $fd; done"]),
    );
    const open = stdout
      .trim()
      .split("\n")
      .map((path) => Number(path.split("/").pop()));
    assert.deepEqual(
      open.filter((fd) => fd > 3),
      [],
    );
  } finally {
    closeSync(leak);
  }
});

test("the launcher's program cannot be written through /proc/PID/exe", { skip }, async () => {
  const init = await fixture.run(
    fixture.launch(["sh", "-c", "echo x >> /proc/1/exe; echo $?; cat /proc/1/exe | wc -c"], (l) => {
      l.init = true;
      useHostUsers(l.spec);
      const all = l.spec.process.capabilities;
      if (all)
        for (const set of [all.bounding, all.effective, all.permitted])
          set.push("CAP_SYS_PTRACE", "CAP_SYS_ADMIN");
    }),
  );
  assert.match(init.stdout, /^1\n/, "writing to the sealed program failed");
  // As an image's program: "#!/proc/self/exe" runs whatever started it.
  const launch = hostile(
    "exe",
    (dir) => writeFileSync(join(dir, "run"), "#!/proc/self/exe\n", { mode: 0o755 }),
    ["/run"],
    (l) => useHostUsers(l.spec),
  );
  const before = readFileSync(join(import.meta.dirname, "../../native/build/berth-launcher"));
  await fixture.run(launch).catch(() => undefined);
  assert.ok(before.equals(readFileSync(join(import.meta.dirname, "../../native/build/berth-launcher"))));
});

test("kernel settings, devices and control groups cannot be changed", { skip }, async () => {
  const { stdout } = await fixture.run(
    fixture.launch([
      "sh",
      "-c",
      `try() { if sh -c "$1" 2>/dev/null; then echo "ALLOWED $1"; fi; }
       try 'echo 1 > /proc/sys/kernel/core_pattern'
       try 'echo 1 > /proc/sys/net/ipv4/ip_forward'
       try 'echo b > /proc/sysrq-trigger'
       try 'mount -o remount,rw /proc/sys'
       try 'umount /proc/sys'
       try 'umount /proc/keys'
       try 'mount -t tmpfs x /tmp'
       try 'mknod /tmp/disk b 254 0 && cat /tmp/disk > /dev/null'
       try 'echo /x > /sys/fs/cgroup/memory/release_agent'
       try 'echo 1 > /sys/fs/cgroup/pids/cgroup.procs'
       try 'mkdir /sys/fs/cgroup/memory/x'
       try 'echo 0 > /sys/kernel/mm/ksm/run'
       test -s /proc/keys && echo ALLOWED keys
       test -s /proc/timer_list && echo ALLOWED timers
       ls /sys/firmware
       echo done`,
    ]),
  );
  assert.equal(stdout, "done\n");
});

test("with the host's users too", { skip }, async () => {
  const { stdout } = await fixture.run(
    fixture.launch(
      [
        "sh",
        "-c",
        `echo 1 > /proc/sys/kernel/core_pattern || mknod /tmp/disk b 254 0 && cat /tmp/disk | wc -c
         echo /x > /sys/fs/cgroup/memory/release_agent || mount -t cgroup -o memory x /tmp || echo refused`,
      ],
      (l) => useHostUsers(l.spec),
    ),
  );
  assert.equal(stdout, "0\nrefused\n");
});

test("a fake procfs in the image does not take settings", { skip }, async () => {
  const launch = hostile(
    "fake-proc",
    (dir) => {
      mkdirSync(join(dir, "proc/sys/net/ipv4"), { recursive: true });
      writeFileSync(join(dir, "proc/sys/net/ipv4/ip_forward"), "");
    },
    ["true"],
    (l) => {
      l.spec.mounts = l.spec.mounts.filter(({ type }) => type !== "proc");
      l.spec.linux.sysctl = { "net.ipv4.ip_forward": "1" };
    },
  );
  await assert.rejects(fixture.runtime.start(launch), { errno: "EXDEV" });
});

test("nothing of the host's mounts or keyrings is reachable", { skip }, async () => {
  const { stdout } = await fixture.run(fixture.launch(["sh", "-c", "cat /proc/self/mountinfo"]));
  assert.ok(!stdout.includes(fixture.root), "a path of the host's mounts");
  assert.equal(sh(`grep -c ${fixture.root} /proc/self/mountinfo || true`).trim(), "0");
});
