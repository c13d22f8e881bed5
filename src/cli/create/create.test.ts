import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseFlags } from "../flags/parse.ts";
import { containerFlags } from "./flags.ts";
import { type ContainerValues, createRequest } from "./request.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-create-test-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function request(...argv: string[]) {
  const { values, args, changed } = parseFlags(containerFlags, [...argv, "image"], true);
  const [image = "", ...cmd] = args;
  return createRequest(values as ContainerValues, changed, image, cmd);
}

test("streams: attached to stdout and stderr, stdin with -i, or as -a says", () => {
  const { AttachStdin, AttachStdout, AttachStderr, OpenStdin, StdinOnce } = request("-i");
  assert.deepEqual(
    [AttachStdin, AttachStdout, AttachStderr, OpenStdin, StdinOnce],
    [true, true, true, true, true],
  );
  const out = request("-a", "STDOUT");
  assert.deepEqual([out.AttachStdin, out.AttachStdout, out.AttachStderr], [false, true, false]);
});

test("environment and labels come from files first, then from flags", () => {
  process.env.BERTH_TEST_HERE = "here";
  const env = file("env", "# comment\nA=1\n\n  B=x y\nBERTH_TEST_HERE\nBERTH_TEST_GONE\n");
  const labels = file("labels", "a=1\nb\n");
  const made = request(
    "--env-file",
    env,
    "-e",
    "A=2",
    "-e",
    "BERTH_TEST_HERE",
    "--label-file",
    labels,
    "-l",
    "a=2",
  );
  assert.deepEqual(made.Env, ["A=1", "B=x y", "BERTH_TEST_HERE=here", "A=2", "BERTH_TEST_HERE=here"]);
  assert.deepEqual(made.Labels, { a: "2", b: "" });
  assert.throws(() => request("--env-file", file("bad", "a b=1\n")), /variable 'a b' contains whitespaces/);
});

test("volumes with a source are binds, the others anonymous", () => {
  const { HostConfig, Volumes } = request("-v", "/data", "-v", "/a:/b:ro", "-v", "./rel:/c", "-v", "name:/d");
  assert.deepEqual(HostConfig?.Binds, ["/a:/b:ro", `${process.cwd()}/rel:/c`, "name:/d"]);
  assert.deepEqual(Volumes, { "/data": {} });
});

test("mounts", () => {
  const mounts = request(
    "--mount",
    "type=bind,source=/a,target=/b,readonly,bind-propagation=rslave,bind-recursive=disabled",
    "--mount",
    'type=tmpfs,"dst=/t,x",tmpfs-size=1m,tmpfs-mode=1777',
    "--mount",
    "src=vol,dst=/v,volume-opt=type=nfs,volume-label=a=b,volume-nocopy",
  ).HostConfig?.Mounts;
  assert.deepEqual(mounts, [
    {
      Type: "bind",
      Source: "/a",
      Target: "/b",
      ReadOnly: true,
      BindOptions: { Propagation: "rslave", NonRecursive: true },
    },
    { Type: "tmpfs", Target: "/t,x", TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o1777 } },
    {
      Type: "volume",
      Source: "vol",
      Target: "/v",
      VolumeOptions: { DriverConfig: { Options: { type: "nfs" } }, Labels: { a: "b" }, NoCopy: true },
    },
  ]);
  assert.throws(
    () => request("--mount", "type=bind,dst=/a,tmpfs-size=1"),
    /cannot mix 'tmpfs-\*' options with mount type 'bind'/,
  );
});

test("ports", () => {
  const made = request(
    "-p",
    "8080:80",
    "-p",
    "127.0.0.1::53/udp",
    "-p",
    "[::1]:7000-7001:90-91",
    "--expose",
    "5-6/sctp",
  );
  assert.deepEqual(made.HostConfig?.PortBindings, {
    "80/tcp": [{ HostIp: "", HostPort: "8080" }],
    "53/udp": [{ HostIp: "127.0.0.1", HostPort: "" }],
    "90/tcp": [{ HostIp: "::1", HostPort: "7000" }],
    "91/tcp": [{ HostIp: "::1", HostPort: "7001" }],
  });
  assert.deepEqual(Object.keys(made.ExposedPorts ?? {}), [
    "80/tcp",
    "53/udp",
    "90/tcp",
    "91/tcp",
    "5/sctp",
    "6/sctp",
  ]);
  assert.deepEqual(request("-p", "1-3:80").HostConfig?.PortBindings, {
    "80/tcp": [{ HostIp: "", HostPort: "1-3" }],
  });
  assert.throws(() => request("-p", "1-2:3-5"), /invalid ranges specified for container and host Ports/);
});

test("limits and devices", () => {
  const host = request(
    ..."-m 64m --memory-swap -1 --cpus 1.5 --ulimit nofile=10:20 --pids-limit 7".split(" "),
    ..."--device /dev/null:/dev/x:r --device-read-bps /dev/sda:1mb --blkio-weight-device /dev/sda:100".split(
      " ",
    ),
  ).HostConfig;
  assert.equal(host?.Memory, 64 << 20);
  assert.equal(host?.MemorySwap, -1);
  assert.equal(host?.NanoCpus, 1.5e9);
  assert.equal(host?.PidsLimit, 7);
  assert.deepEqual(host?.Ulimits, [{ Name: "nofile", Soft: 10, Hard: 20 }]);
  assert.deepEqual(host?.Devices, [
    { PathOnHost: "/dev/null", PathInContainer: "/dev/x", CgroupPermissions: "r" },
  ]);
  assert.deepEqual(host?.BlkioDeviceReadBps, [{ Path: "/dev/sda", Rate: 1 << 20 }]);
  assert.deepEqual(host?.BlkioWeightDevice, [{ Path: "/dev/sda", Weight: 100 }]);
});

test("security: a profile goes by content, systempaths is the client's", () => {
  const profile = file("profile.json", '{ "defaultAction": "SCMP_ACT_ALLOW" }\n');
  const host = request(
    ...["no-new-privileges", `seccomp=${profile}`, "systempaths=unconfined", "apparmor:unconfined"].flatMap(
      (option) => ["--security-opt", option],
    ),
  ).HostConfig;
  assert.deepEqual(host?.SecurityOpt, [
    "no-new-privileges",
    'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
    "apparmor:unconfined",
  ]);
  assert.deepEqual([host?.MaskedPaths, host?.ReadonlyPaths], [[], []]);
});

test("networks: the short form, the long form, and the flags for the first", () => {
  assert.equal(request().HostConfig?.NetworkMode, "default");
  const one = request("--network", "web", "--network-alias", "db", "--ip", "10.0.0.2");
  assert.equal(one.HostConfig?.NetworkMode, "web");
  assert.deepEqual(one.NetworkingConfig?.EndpointsConfig, {
    web: { Aliases: ["db"], IPAMConfig: { IPv4Address: "10.0.0.2" } },
  });
  const two = request("--net", "name=a,alias=x,driver-opt=k=v", "--network", "b").NetworkingConfig
    ?.EndpointsConfig;
  assert.deepEqual(two, { a: { Aliases: ["x"], DriverOpts: { k: "v" } }, b: {} });
  assert.throws(
    () => request("--network", "host", "--network-alias", "x"),
    /only supported for user-defined networks/,
  );
});

test("health, restart, entrypoint and what conflicts", () => {
  assert.deepEqual(request("--health-cmd", "true", "--health-interval", "2s").Healthcheck, {
    Test: ["CMD-SHELL", "true"],
    Interval: 2e9,
    Timeout: 0,
    StartPeriod: 0,
    StartInterval: 0,
    Retries: 0,
  });
  assert.deepEqual(request("--no-healthcheck").Healthcheck, { Test: ["NONE"] });
  assert.deepEqual(request("--restart", "on-failure:3").HostConfig?.RestartPolicy, {
    Name: "on-failure",
    MaximumRetryCount: 3,
  });
  assert.deepEqual(request("--entrypoint=").Entrypoint, [""]);
  assert.deepEqual(request("--entrypoint", "/x").Entrypoint, ["/x"]);
  assert.throws(() => request("--rm", "--restart", "always"), /cannot specify both --restart and --rm/);
  assert.throws(() => request("--no-healthcheck", "--health-cmd", "x"), /--no-healthcheck conflicts/);
  assert.throws(() => request("--pid", "foo"), /--pid: invalid PID mode/);
});
