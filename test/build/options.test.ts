import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { tarOf } from "../support/images.ts";
import { bzip2, gzip, xz, zstd } from "./archives.ts";
import { ContextDirectory, dockerBuild, failedBuild, mustBuild, post } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-options");
});
after(() => daemon.end());

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", image, "sh", "-c", command]);

/** What a step finds of its limits, whichever version of control groups there is. */
const limits = `FROM busybox
RUN cg() { cat /sys/fs/cgroup/$1 2>/dev/null || cat /sys/fs/cgroup/$2; }; \\
  { cg memory/memory.limit_in_bytes memory.max; \\
    cg memory/memory.memsw.limit_in_bytes memory.swap.max; \\
    cg cpu/cpu.shares cpu.weight; \\
    cg cpu/cpu.cfs_quota_us cpu.max; \\
    cg cpuset/cpuset.cpus cpuset.cpus; \\
    cg cpuset/cpuset.mems cpuset.mems; \\
    df -k /dev/shm | tail -1 | awk '{ print $2 }'; \\
    ulimit -n; \\
    grep -c 'one.test' /etc/hosts; } > /limits
`;

test("limits hold for the steps", async () => {
  const parent = `/${daemon.cgroupParent}/parent`;
  const args = [
    ...[
      "-t",
      "limits",
      "--memory",
      "64m",
      "--memory-swap",
      "96m",
      "--cpu-shares",
      "512",
      "--cpu-period",
      "50000",
    ],
    ...[
      "--cpu-quota",
      "25000",
      "--cpuset-cpus",
      "0",
      "--cpuset-mems",
      "0",
      "--shm-size",
      "8m",
      "--ulimit",
      "nofile=100:200",
    ],
    ...["--add-host", "one.test:10.1.2.3", "--cgroup-parent", parent],
  ];
  await mustBuild(daemon, { Dockerfile: limits }, args);
  const byDocker = await inImage("limits", "cat /limits");
  const own = await daemon.berth(["build", "--no-cache", ...args, "-"], { input: limits });
  assert.equal(own.code, 0, own.stderr);
  for (const text of [byDocker, await inImage("limits", "cat /limits")]) {
    const [memory = "", swap = "", shares = "", quota = "", cpus, mems, shm, files, hosts] = text.split("\n");
    assert.equal(memory, String(64 << 20));
    assert.ok([String(96 << 20), String(32 << 20)].includes(swap), swap);
    // Weights of version 2 are other numbers.
    assert.ok(["512", "20", "59"].includes(shares), shares);
    assert.match(quota, /^25000( 50000)?$/);
    assert.deepEqual([cpus, mems, shm, files, hosts], ["0", "0", "8192", "100", "1"]);
  }
  // The steps made it, and were below it.
  const { code, stderr } = await daemon.berth(["cgroup", "rm", parent]);
  assert.equal(code, 0, stderr);
  const killed = await failedBuild(
    daemon,
    { Dockerfile: "FROM busybox\nRUN dd if=/dev/zero of=/dev/null bs=64M count=1" },
    ["--memory", "16m", "--memory-swap", "16m"],
  );
  assert.equal(killed.code, 137);
});

test("options that cannot be are refused", async () => {
  const cases: [string, RegExp][] = [
    ["isolation=odd", /invalid isolation/],
    ["ulimits=no", /error reading ulimits/],
    ["buildargs=%7B", /error reading buildargs/],
    ["memory=x", /invalid syntax/],
    ["networkmode=none-of-these", /network none-of-these not found/],
    ["target=none", /target stage .*none.* could not be found/],
    ["t=UPPER", /invalid reference format: repository name .* must be lowercase/],
    ["platform=odd%2Fodd%2Fodd%2Fodd", /platform/],
    ["allow=everything", /invalid entitlement/],
    ["dockerfile=..%2F..%2Fetc%2Fpasswd", /Cannot locate specified Dockerfile|forbidden path/],
    ["remote=client-session", /neither a repository nor an URL/],
  ];
  const context = tarOf([{ name: "Dockerfile", data: "FROM busybox\nRUN true" }]);
  for (const [query, message] of cases)
    assert.match(await post(daemon, `/build?nocache=1&${query}`, context), message);
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
});

test("networks of the steps", async () => {
  await daemon.ok(["network", "create", "for-steps"]);
  const Dockerfile = "FROM busybox\nRUN ip -o addr | grep -c eth0 > /eth; true\n";
  for (const [network, count] of [
    ["none", "0"],
    ["for-steps", "1"],
    ["default", "1"],
  ] as const) {
    await mustBuild(daemon, { Dockerfile }, ["-t", "net", "--network", network]);
    assert.notEqual(await inImage("net", "cat /eth"), count === "0" ? "1" : "0", network);
  }
  await daemon.ok(["network", "rm", "for-steps"]);
});

test("archives of every compression, several names, labels, ids to files, quiet", async () => {
  const archive = tarOf([
    { name: "sub/my.Dockerfile", data: "FROM busybox\nCOPY x /x\n" },
    { name: "x", data: "text" },
  ]);
  for (const [kind, data] of Object.entries({
    plain: archive,
    gzip: gzip(archive),
    bzip2: bzip2(archive),
    xz: xz(archive),
    zstd: zstd(archive),
  })) {
    const said = await post(
      daemon,
      `/build?t=by-${kind}:1&t=by-${kind}:2&dockerfile=sub/my.Dockerfile&labels={"k":"${kind}"}`,
      data,
    );
    const [, id = ""] = /"aux":\{"ID":"(sha256:[0-9a-f]{64})"\}/.exec(said) ?? [];
    assert.equal(
      await daemon.ok(["image", "inspect", "-f", "{{.Id}} {{.Config.Labels.k}}", `by-${kind}:2`]),
      `${id} ${kind}`,
    );
    assert.equal(await inImage(`by-${kind}:1`, "cat /x"), "text");
    const own = await daemon.berth(["build", "-q", "-f", "sub/my.Dockerfile", "-"], { input: data });
    assert.equal(own.code, 0, `${kind}: ${own.stderr}`);
  }
  using context = new ContextDirectory({ Dockerfile: "FROM busybox\nRUN echo loud\n" });
  const file = join(context.path, "id");
  const { stdout } = await dockerBuild(daemon, context.path, ["-q", "--iidfile", file]);
  assert.match(stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal(readFileSync(file, "utf8").trim(), stdout.trim());
  const stdin = await daemon.docker(["build", "-t", "by-stdin", "-f", "-", context.path], {
    input: "FROM busybox\nCOPY Dockerfile /copied\n",
    env: { DOCKER_BUILDKIT: "0" },
  });
  assert.equal(stdin.code, 0, stdin.stderr);
  assert.match(await inImage("by-stdin", "cat /copied"), /echo loud/);
});

test("berth build --check", async () => {
  const odd =
    "# check=skip=WorkdirRelativePath\nFROM busybox as b\nWORKDIR x\nENV A b\nCOPY $nothing /x\nRUN false\n";
  const found = await daemon.berth(["build", "--check", "-"], { input: odd });
  assert.equal(found.code, 1);
  assert.match(found.stdout, /^Check complete, 3 warnings have been found!$/m);
  for (const rule of ["FromAsCasing, line 2", "LegacyKeyValueFormat, line 4", "UndefinedVar, line 5"])
    assert.match(found.stderr, new RegExp(rule));
  assert.doesNotMatch(found.stderr, /WorkdirRelativePath/);
  const sound = await daemon.berth(["build", "--check", "-"], { input: "FROM busybox\nRUN false" });
  assert.deepEqual([sound.code, sound.stdout], [0, "Check complete, no warnings found.\n"]);
  const built = await mustBuild(daemon, { Dockerfile: "FROM busybox\nCMD true" });
  assert.match(built, /\[Warning\] JSONArgsRecommended: .* \(line 2\)/);
  const failing = await failedBuild(daemon, {
    Dockerfile: "# check=error=true\nFROM busybox\nRUN echo ran\nCMD true",
  });
  assert.match(failing.stderr, /lint violation found for rules: JSONArgsRecommended/);
  assert.doesNotMatch(failing.stdout, /Running in/);
  const chosen = await mustBuild(daemon, { Dockerfile: "FROM busybox\nCMD true" }, [
    "--build-arg",
    "BUILDKIT_DOCKERFILE_CHECK=skip=all",
  ]);
  assert.doesNotMatch(chosen, /Warning/);
});
