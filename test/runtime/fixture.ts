import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { killAll } from "../../src/runtime/cgroup/processes.ts";
import { removeCgroup } from "../../src/runtime/cgroup/remove.ts";
import { type CgroupHost, detectCgroups } from "../../src/runtime/cgroup/support.ts";
import {
  defaultCapabilities,
  defaultDeviceRules,
  defaultDevices,
  defaultMounts,
  defaultNamespaces,
  maskedPaths,
  readonlyPaths,
} from "../../src/runtime/defaults.ts";
import type { NamespaceType, Spec } from "../../src/runtime/oci.ts";
import { LinuxRuntime, type RuntimeOptions } from "../../src/runtime/runtime.ts";
import type {
  ContainerLaunch,
  ExecLaunch,
  ExitStatus,
  Shim,
  ShimAttachment,
} from "../../src/runtime/types.ts";

/** Commands of busybox that the tests use. */
const applets =
  "sh cat echo ls id mount umount sleep true false stat readlink mkdir touch rm ln head tail wc dd ps hostname kill grep env stty tty pwd chmod chown test nproc date seq yes od mknod find tr nc ip";

/** A data root with one busybox layer, a runtime, and what cleans both up. */
export class Fixture {
  readonly root: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  runtime: LinuxRuntime;
  /** Parent of all control groups of this fixture. */
  readonly #parent = `/berth-test-${randomBytes(4).toString("hex")}`;
  readonly #cgroups: CgroupHost = detectCgroups();
  readonly #options: Partial<RuntimeOptions>;

  /** `below` is an existing directory to make everything in. */
  constructor(options: Partial<RuntimeOptions> = {}, below = "/tmp") {
    this.root = mkdtempSync(join(below, "berth-runtime-test-"));
    this.dataRoot = join(this.root, "data");
    this.execRoot = join(this.root, "exec");
    this.#options = options;
    mkdirSync(join(this.dataRoot, "layers"), { recursive: true, mode: 0o700 });
    this.layer("1", (dir) => {
      for (const name of ["bin", "etc", "tmp", "root", "proc", "sys", "dev", "home/user"])
        mkdirSync(join(dir, name), { recursive: true });
      copyFileSync("/bin/busybox", join(dir, "bin/busybox"));
      for (const applet of applets.split(" ")) symlinkSync("busybox", join(dir, "bin", applet));
      writeFileSync(join(dir, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
      writeFileSync(join(dir, "etc/plain"), "not a program\n");
    });
    this.runtime = this.open();
  }

  open(): LinuxRuntime {
    const seccompCache = join(this.dataRoot, "seccomp");
    return new LinuxRuntime({ execRoot: this.execRoot, seccompCache, ...this.#options });
  }

  /** Makes a layer; returns its directory. */
  layer(name: string, fill: (dir: string) => void): string {
    const dir = join(this.dataRoot, "layers", name, "fs");
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    fill(dir);
    return dir;
  }

  /** A launch of `args` in a busybox container with a user namespace, changed by `change`. */
  launch(args: string[], change: (launch: ContainerLaunch) => void = () => undefined): ContainerLaunch {
    const id = randomBytes(32).toString("hex");
    const rw = join(this.dataRoot, "containers", id);
    for (const name of ["upper", "work"]) mkdirSync(join(rw, name), { recursive: true });
    const launch: ContainerLaunch = {
      id,
      spec: testSpec(args),
      rootfs: { dataRoot: this.dataRoot, lower: [join(this.dataRoot, "layers/1/fs")], rw },
      stdio: { tty: false, stdin: false, stdinOnce: false, waitForAttach: 0 },
      log: { driver: "json-file", path: join(rw, "log"), maxSize: 0, maxFile: 1 },
      init: false,
    };
    launch.spec.linux.cgroupsPath = `${this.#parent}/${id}`;
    launch.spec.linux.resources = { pids: { limit: 200 }, devices: [...defaultDeviceRules] };
    change(launch);
    return launch;
  }

  /** Runs to the end: exit status and what the log has. */
  async run(launch: ContainerLaunch): Promise<ExitStatus & { stdout: string; stderr: string }> {
    const shim = await this.runtime.start(launch);
    const status = await shim.exited;
    await shim.dispose();
    return { ...status, ...readLog(launch.log.path) };
  }

  exec(shim: Shim, launch: ContainerLaunch, args: string[]): ExecLaunch {
    return {
      id: randomBytes(32).toString("hex"),
      containerId: launch.id,
      containerPid: shim.pid,
      containerStartTime: shim.startTime,
      process: { ...launch.spec.process, args, terminal: false },
      stdio: { tty: false, stdin: false, stdinOnce: false, waitForAttach: 0 },
      spec: launch.spec,
    };
  }

  async close(): Promise<void> {
    await this.runtime.close();
    await killAll(this.#cgroups, this.#parent);
    await removeCgroup(this.#cgroups, this.#parent, { timeout: 5000 });
    rmSync(this.root, { recursive: true, force: true });
  }
}

export function testSpec(args: string[]): Spec {
  const capabilities = [...defaultCapabilities];
  const range = [{ containerID: 0, hostID: 1_000_000, size: 65536 }];
  return {
    ociVersion: "1.2.0",
    root: { path: "rootfs", readonly: false },
    hostname: "test",
    process: {
      terminal: false,
      cwd: "/",
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
      args,
      user: { uid: 0, gid: 0 },
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: false,
      oomScoreAdj: 0,
    },
    mounts: defaultMounts(),
    linux: {
      namespaces: [...defaultNamespaces, { type: "user" }, { type: "cgroup" }],
      uidMappings: range,
      gidMappings: range,
      devices: [...defaultDevices],
      maskedPaths: [...maskedPaths],
      readonlyPaths: [...readonlyPaths],
    },
  };
}

/** The streams of a json-file log. */
export function readLog(path: string): { stdout: string; stderr: string } {
  const streams = { stdout: "", stderr: "" };
  for (const line of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
    const { log, stream } = JSON.parse(line) as { log: string; stream: "stdout" | "stderr" };
    streams[stream] += log;
  }
  return streams;
}

/** Replaces or removes a namespace of the spec: without `path` the host's is used. */
export function setNamespace(spec: Spec, type: NamespaceType, path?: string): void {
  const others = spec.linux.namespaces.filter((namespace) => namespace.type !== type);
  spec.linux.namespaces = path === undefined ? others : [...others, { type, path }];
}

/** Takes the container's user namespace away. */
export function useHostUsers(spec: Spec): void {
  setNamespace(spec, "user");
  spec.linux.uidMappings = undefined;
  spec.linux.gidMappings = undefined;
}

/** Everything that an attachment's output has, by stream. */
export async function collect(attachment: ShimAttachment): Promise<{ stdout: string; stderr: string }> {
  const streams = { stdout: "", stderr: "" };
  for await (const { stream, data } of attachment.output) streams[stream] += data.toString();
  return streams;
}

/** Whether this machine can run the tests: root, and a busybox for the image. */
export const canRun: boolean = process.getuid?.() === 0;

export const sh = (script: string): string => execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" });
