// What keeps a step in: by default what keeps any container in, and a machine of its own when that is asked for.
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { ContextDirectory, dockerBuild, failedBuild, mustBuild } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-isolation");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", "--network", "none", image, "sh", "-c", command]);

/** What a process can see of how it is kept in. */
const look = [
  "cat /proc/self/uid_map /proc/self/gid_map",
  "grep -E '^(Cap|Seccomp:|NoNewPrivs)' /proc/self/status",
  "ls /dev /proc/sys/kernel",
  "ls -l /proc/self/ns | sed 's/.*-> //; s/:.*//'",
  "grep -E ' (/proc/|/sys)' /proc/mounts | cut -d' ' -f1-4 | sed 's/,[ug]id=[0-9]*//g'",
  "cat /proc/[0-9]*/comm | sort -u",
].join("; ");

test("a step is kept in as a container is", async () => {
  const Dockerfile = `FROM busybox\nRUN sh -c "${look.replaceAll('"', '\\"')}" > /seen 2>&1\n`;
  await mustBuild(daemon, { Dockerfile }, ["-t", "seen", "--network", "none"]);
  const step = (await inImage("seen", "cat /seen")).split("\n");
  const container = (await inImage("busybox", look)).split("\n");
  // Each has a range of ids of its own.
  const isMap = (line: string): boolean => /^ *0 +\d+ +65536$/.test(line);
  const maps = step.filter(isMap);
  assert.equal(maps.length, 2);
  for (const map of maps) assert.notEqual(map.trim().split(/ +/)[1], "0");
  const rest = (lines: string[]): string[] =>
    lines.filter((line) => !isMap(line) && !/^(cat|sh|ls|sort|sed|cut|grep)$/.test(line));
  assert.deepEqual(rest(step), rest(container));
  assert.ok(step.includes("CapEff:\t00000000a80425fb") && step.includes("Seccomp:\t2"), step.join("\n"));
});

test("what a step may not, and whose its files are", async () => {
  const outside = join(daemon.directory, "outside");
  const Dockerfile = `FROM busybox
RUN ! mount -t tmpfs x /mnt 2>/dev/null; ! mknod /null c 1 3 2>/dev/null; ! dmesg 2>/dev/null; \\
    ! echo 1 > /proc/sys/vm/drop_caches 2>/dev/null; ! hostname other 2>/dev/null; ! ls ${outside} 2>/dev/null; \\
    for f in /proc/sys/vm/drop_caches /proc/sysrq-trigger; do echo x > $f && exit 1; done 2>/dev/null; \\
    ls /proc | grep -c '^[0-9]' > /processes; touch /mine; chown 1000:1000 /mine; touch /root-owned
`;
  await mustBuild(daemon, { Dockerfile }, ["-t", "files"]);
  assert.equal(
    await inImage("files", "stat -c %u:%g /mine /root-owned; ls /null 2>/dev/null; true"),
    "1000:1000\n0:0",
  );
  assert.ok(Number(await inImage("files", "cat /processes")) < 6);
  const [layer = ""] = JSON.parse(
    await daemon.ok(["image", "inspect", "-f", "{{json .GraphDriver.Data}}", "files"]),
  ).UpperDir.split(":");
  assert.equal(statSync(join(layer, "mine")).uid, 1000);
  assert.equal(statSync(join(layer, "root-owned")).uid, 0);
});

test("--isolation=hyperv: each step in a machine of its own, with its mounts, limits and network", async () => {
  using context = new ContextDirectory({
    Dockerfile: `FROM busybox AS tools
RUN uname -r > /tools-kernel && chown 7:8 /tools-kernel
FROM busybox
COPY input /copied
RUN --mount=type=bind,target=/src --mount=type=cache,id=machine,target=/cache --mount=type=tmpfs,target=/memory,size=1m \\
    --mount=from=tools,source=/,target=/tools \\
    cat /src/input > /from-bind && echo x >> /cache/n && wc -l < /cache/n > /from-cache && df -k /memory | tail -1 > /from-tmpfs && \\
    cat /tools/tools-kernel > /from-stage && uname -r > /kernel && grep MemTotal /proc/meminfo > /memory-total && \\
    chown 5:6 /kernel && ln /kernel /hard && rm -r /var && mkdir /var && touch /var/new
RUN --network=none ip -o link | wc -l > /links
`,
    input: "input\n",
  });
  const isolated = ["--isolation=hyperv", "--memory", "200m"];
  const ours = await dockerBuild(daemon, context.path, ["-t", "machine", ...isolated], { timeout: 120_000 });
  assert.equal(ours.code, 0, ours.stderr + ours.stdout);
  const seen = await inImage("machine", "cat /kernel /from-stage /from-bind /from-cache /from-tmpfs /links");
  const [kernel, toolsKernel, bind, cache, tmpfs, links] = seen.split("\n");
  assert.match(kernel ?? "", /^\d+\.\d+/);
  assert.notEqual(kernel, release());
  assert.deepEqual([toolsKernel, bind, cache, links], [kernel, "input", "1", "1"]);
  assert.match(tmpfs ?? "", /^tmpfs +1024 /);
  assert.match(await inImage("machine", "cat /memory-total"), /: +1\d{5} kB/);
  assert.equal(
    await inImage(
      "machine",
      "stat -c '%u:%g %h' /kernel; ls / /var | grep -cE '^(src|cache|memory|tools|new)$'",
    ),
    "5:6 2\n1",
  );
  // A failure in a machine is one as any other.
  const failed = await failedBuild(daemon, { Dockerfile: "FROM busybox\nRUN echo why; exit 9" }, [
    "--isolation=hyperv",
  ]);
  assert.equal(failed.code, 9);
  assert.match(failed.stdout, /^why$/m);
  // The other cache mount is the same directory, and what was made is taken from the cache.
  const Dockerfile = "FROM busybox\nRUN --mount=type=cache,id=machine,target=/c cat /c/n > /n";
  await mustBuild(daemon, { Dockerfile }, ["-t", "cache"]);
  assert.equal(await inImage("cache", "cat /n"), "x");
  const again = await dockerBuild(daemon, context.path, isolated);
  assert.equal(again.stdout.match(/Using cache/g)?.length, 4);
  const memory = join(daemon.execRoot, "build");
  assert.deepEqual(readdirSync(daemon.execRoot).includes("build") ? readdirSync(memory) : [], []);
});
