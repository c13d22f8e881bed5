import { existsSync, lstatSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../../lib/errors.ts";
import { resourcesOf } from "../../runtime/cgroup/resources.ts";
import type { ResourceOptions } from "../../runtime/cgroup/validate.ts";
import { defaultMounts, maskedPaths, readonlyPaths } from "../../runtime/defaults.ts";
import { kernelFeatures } from "../../runtime/machine.ts";
import type { Mount, Spec } from "../../runtime/oci.ts";
import { containerSeccomp } from "../../runtime/seccomp/container.ts";
import type { ContainerLaunch, NetworkSetup, ShimLog } from "../../runtime/types.ts";
import type { EngineContext } from "../context.ts";
import { idMappings } from "../id-ranges.ts";
import { devices } from "../spec/devices.ts";
import { namespaces } from "../spec/namespaces.ts";

/** What a hypervisor's sandbox shows of the host beside the programs: absolute paths. */
export interface Share {
  source: string;
  destination: string;
  writable?: boolean;
}

/** Directories of programs and libraries, or links to them. */
const systemPaths = ["usr", "bin", "sbin", "lib", "lib64"];
const emptyPaths = ["dev", "proc", "sys", "tmp", "etc", "machine", "boot"];

/** Whose hypervisor it is. */
export interface SandboxOwner {
  id: string;
  /** Its directory, which has a `rw`. */
  directory: string;
  cgroupPath: string;
  /** Its block of host ids. */
  idRange: number;
  limits: ResourceOptions;
  log: ShimLog;
  waitForAttach: number;
}

export interface SandboxOptions {
  args: string[];
  shares: readonly Share[];
  network: NetworkSetup;
  /** Names of its links on the host. */
  taps: string[];
  terminal: boolean;
  /** Devices of the host. */
  nodes: string[];
}

/**
 * How a hypervisor runs: in a container of its own, with the host's programs to read and a few named files,
 * as a user that exists nowhere else, without capabilities and with no network but the taps it inherits.
 */
export function sandbox(
  context: EngineContext,
  owner: SandboxOwner,
  options: SandboxOptions,
): ContainerLaunch {
  if (!kernelFeatures().idmappedOverlay)
    throw new BerthError("UNAVAILABLE", "virtual machines need Linux 5.19 or newer on the host");
  return {
    id: owner.id,
    spec: spec(owner, options),
    rootfs: {
      dataRoot: context.state.paths.root,
      lower: [programLayer(context)],
      rw: join(owner.directory, "rw"),
      volatile: true,
    },
    stdio: { tty: options.terminal, stdin: true, stdinOnce: false, waitForAttach: owner.waitForAttach },
    log: owner.log,
    init: false,
    network: options.network,
    taps: options.taps,
  };
}

function spec(owner: SandboxOwner, { args, shares, terminal, nodes }: SandboxOptions): Spec {
  const mapping = idMappings(owner.idRange);
  const grant = devices({ Devices: nodes.map((PathOnHost) => ({ PathOnHost })) });
  const wanted = new Set(["/proc", "/dev", "/dev/pts", "/dev/shm"]);
  return {
    ociVersion: "1.2.0",
    root: { path: join(owner.directory, "rootfs"), readonly: true },
    process: {
      terminal,
      cwd: "/",
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LC_ALL=C"],
      args,
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
      noNewPrivileges: true,
      oomScoreAdj: 0,
    },
    mounts: [
      ...defaultMounts().filter(({ destination }) => wanted.has(destination)),
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "noexec"] },
      ...systemPaths.filter(isDirectory).map((name) => bind({ source: `/${name}`, destination: `/${name}` })),
      ...shares.map(bind),
    ],
    linux: {
      namespaces: namespaces({ NetworkMode: "none", CgroupnsMode: "private" }, () => 0, true),
      uidMappings: mapping,
      gidMappings: mapping,
      cgroupsPath: owner.cgroupPath,
      devices: grant.devices,
      resources: resourcesOf(owner.limits, grant.rules),
      seccomp: containerSeccomp(undefined, []),
      maskedPaths: [...maskedPaths],
      readonlyPaths: [...readonlyPaths],
    },
  };
}

const bind = ({ source, destination, writable = false }: Share): Mount => ({
  destination,
  type: "bind",
  source,
  options: ["rbind", "rprivate", "nosuid", "nodev", writable ? "rw" : "ro"],
});

const isDirectory = (name: string): boolean =>
  lstatSync(`/${name}`, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** The root's own layer: mount points, and links where the host has links. */
function programLayer(context: EngineContext): string {
  const layer = join(context.state.paths.root, "hypervisor", "root");
  if (existsSync(layer)) return layer;
  const temporary = join(context.state.paths.temporary, "hypervisor-root");
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(join(context.state.paths.root, "hypervisor"), { recursive: true, mode: 0o711 });
  for (const name of emptyPaths) mkdirSync(join(temporary, name), { recursive: true, mode: 0o755 });
  for (const name of systemPaths) {
    const found = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(temporary, name));
    else if (found) mkdirSync(join(temporary, name), { mode: 0o755 });
  }
  renameSync(temporary, layer);
  return layer;
}
