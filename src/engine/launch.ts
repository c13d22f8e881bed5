import { join } from "node:path";
import type { HostConfig } from "@docker/node-sdk";
import { conflict, notFound, system } from "../lib/errors.ts";
import { allowPing } from "../network/switches.ts";
import { resourcesOf } from "../runtime/cgroup/resources.ts";
import { defaultSysctls } from "../runtime/defaults.ts";
import { kernelFeatures } from "../runtime/machine.ts";
import type { Process, Spec } from "../runtime/oci.ts";
import { containerSeccomp } from "../runtime/seccomp/container.ts";
import type { ContainerLaunch, NetworkSetup } from "../runtime/types.ts";
import { checkDeviceRequests } from "./conflicts.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory } from "./create.ts";
import { diskLimit } from "./disk.ts";
import { ALL_IDS, type IdRanges, idMappings } from "./id-ranges.ts";
import { rootLayers } from "./init-layer.ts";
import { isIsolated } from "./isolation/isolation.ts";
import { guestSpec } from "./isolation/specs.ts";
import { shimLog } from "./logs/options.ts";
import { endpointSysctls, previewNetworks } from "./network/attach.ts";
import { networkFiles, writeNetworkFiles } from "./network/files.ts";
import { linkVariables } from "./network/links.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { devices } from "./spec/devices.ts";
import { mounts } from "./spec/mounts.ts";
import { namespaces, sharedWith } from "./spec/namespaces.ts";
import { initProcess } from "./spec/process.ts";
import { sysctls } from "./spec/sysctls.ts";
import { type ResolvedUser, resolveUser } from "./spec/user.ts";

/** Everything the runtime needs to run a container now. Takes an id range, recorded in the container's state. */
export async function buildLaunch(
  context: EngineContext,
  container: Container,
  network: NetworkSetup,
  ranges: Pick<IdRanges, "take" | "claim"> = context.idRanges,
): Promise<ContainerLaunch> {
  const layers = rootLayers(context, container);
  const user = await userOf(context, container, layers);
  writeNetworkFiles(context, container);
  const userNamespace = chooseUserNamespace(context, container, ranges);
  const { hostConfig, state } = container.record;
  if (hostConfig.NetworkMode === "host" && state.idRange !== null) allowPing(...ALL_IDS);
  const launch = assemble(context, container, layers, user, userNamespace, network);
  container.spec = launch.spec;
  return launch;
}

/** What the runtime would be given for a container of these layers that nobody has made: nothing is taken or written. */
export async function previewLaunch(
  context: EngineContext,
  container: Container,
  layers: readonly string[],
): Promise<ContainerLaunch> {
  const user = await userOf(context, container, layers);
  const network = previewNetworks(context, container);
  const ranges = { take: () => context.idRanges.peek(), claim: () => undefined };
  const userNamespace = chooseUserNamespace(context, container, ranges);
  return assemble(context, container, layers, user, userNamespace, network);
}

/** Who the process will be, by the files of the container's root. */
export function userOf(
  context: EngineContext,
  { id, record: { config, hostConfig } }: Container,
  layers: readonly string[],
): Promise<ResolvedUser> {
  const roots = [join(containerDirectory(context, id), "rw", "upper"), ...layers];
  return context.opaque.with((isOpaque) =>
    resolveUser(roots, config.User ?? "", hostConfig.GroupAdd ?? [], isOpaque),
  );
}

function assemble(
  context: EngineContext,
  container: Container,
  layers: readonly string[],
  user: ResolvedUser,
  userNamespace: boolean | string,
  network: NetworkSetup,
): ContainerLaunch {
  const { config, hostConfig } = container.record;
  checkDeviceRequests(hostConfig);
  const directory = containerDirectory(context, container.id);
  const spec = buildSpec(context, container, user, userNamespace);
  return {
    id: container.id,
    spec,
    rootfs: {
      dataRoot: context.state.paths.root,
      lower: [...layers],
      rw: join(directory, "rw"),
      // Whoever is removed anyway needs nothing written out first.
      volatile: container.record.step || (hostConfig.AutoRemove ?? false),
      ownDisk: diskLimit(hostConfig) !== null,
    },
    stdio: {
      tty: config.Tty ?? false,
      stdin: config.OpenStdin ?? false,
      stdinOnce: config.StdinOnce ?? false,
      ...(spec.process.consoleSize ? { consoleSize: spec.process.consoleSize } : {}),
      waitForAttach: container.pendingAttaches.size,
    },
    log: shimLog(container.record, directory),
    init: hostConfig.Init ?? false,
    network,
  };
}

/** The spec of a running container, for processes that join it. */
export function execSpec(context: EngineContext, container: Container): Spec {
  if (!container.spec) {
    // Found running by a new daemon. Peers, users and devices of the start may have gone since, and are not
    // asked for: a process that joins takes its namespaces from the container's own.
    const { record } = container;
    const { pid, idRange } = record.state;
    const process = initProcess(record, { uid: 0, gid: 0, additionalGids: [], home: "/" });
    const joined = namespaces(record.hostConfig, () => pid, idRange !== null);
    const spec = baseSpec(context, container, process, joined);
    const own = isIsolated(record.hostConfig) ? guestSpec(spec) : spec;
    container.spec = own;
    return own;
  }
  return container.spec;
}

/** What every process of a container shares. */
function baseSpec(
  context: EngineContext,
  container: Container,
  process: Process,
  joined: Spec["linux"]["namespaces"],
): Spec {
  const { hostConfig, state, cgroupPath } = container.record;
  const mapping = state.idRange === null ? [] : idMappings(state.idRange);
  const seccomp = containerSeccomp(
    parseSecurityOptions(hostConfig.SecurityOpt).seccomp,
    process.capabilities?.bounding ?? [],
    hostConfig.Privileged,
  );
  return {
    ociVersion: "1.2.0",
    root: {
      path: join(containerDirectory(context, container.id), "rootfs"),
      readonly: hostConfig.ReadonlyRootfs ?? false,
    },
    process,
    mounts: [],
    linux: {
      namespaces: joined,
      uidMappings: mapping,
      gidMappings: mapping,
      cgroupsPath: cgroupPath,
      ...(seccomp ? { seccomp } : {}),
    },
  };
}

function buildSpec(
  context: EngineContext,
  container: Container,
  user: ResolvedUser,
  userNamespace: boolean | string,
): Spec {
  const { record } = container;
  const { config, hostConfig } = record;
  const grant = devices(hostConfig);
  const { idRange } = record.state;
  const ownNetwork = hostConfig.NetworkMode !== "host" && sharedWith(hostConfig.NetworkMode) === null;
  const process = initProcess(record, user);
  process.env = [...linkVariables(context, container), ...(process.env ?? []), ...container.secretEnv];
  const shared = namespaces(hostConfig, (ref) => runningPid(context, ref), userNamespace);
  const base = baseSpec(context, container, process, shared);
  return {
    ...base,
    ...(hostConfig.UTSMode === "host" ? {} : { hostname: config.Hostname, domainname: config.Domainname }),
    mounts: mounts(
      hostConfig,
      record.mounts,
      networkFiles(context, container.id),
      ipcPeer(context, hostConfig),
    ),
    linux: {
      ...base.linux,
      devices: grant.devices,
      resources: {
        ...resourcesOf(hostConfig, grant.rules),
        lowPorts: hostConfig.NetworkMode === "host" && idRange !== null && may(process, "NET_BIND_SERVICE"),
        everywhere: mayMountGroups(hostConfig, process),
      },
      sysctl: {
        ...(ownNetwork ? defaultSysctls : {}),
        ...endpointSysctls(context, record.state.network?.endpoints),
        ...sysctls(hostConfig),
      },
      maskedPaths: hostConfig.MaskedPaths ?? [],
      readonlyPaths: hostConfig.ReadonlyPaths ?? [],
    },
  };
}

/**
 * Whether it makes groups below its own, or may mount hierarchies itself, as an init system does. Where it had
 * no group, it would see the host's. The default filter lets nobody without SYS_ADMIN make a user namespace, in
 * which all may mount; of another nothing is known.
 */
function mayMountGroups({ SecurityOpt }: HostConfig, process: Process): boolean {
  const { seccomp = "builtin", writableCgroups } = parseSecurityOptions(SecurityOpt);
  return writableCgroups || seccomp !== "builtin" || may(process, "SYS_ADMIN");
}

const may = ({ capabilities }: Process, right: string): boolean =>
  capabilities?.bounding.includes(`CAP_${right}`) ?? false;

/**
 * A new user namespace with a range of its own; that of the container whose namespaces are shared,
 * since the kernel lets only its owner in; or none, for --userns=host and --privileged.
 */
function chooseUserNamespace(
  context: EngineContext,
  container: Container,
  ranges: Pick<IdRanges, "take" | "claim">,
): boolean | string {
  const { hostConfig, state } = container.record;
  state.idRange = null;
  if (isIsolated(hostConfig)) {
    if (!kernelFeatures().idmappedOverlay)
      throw system(
        "--isolation=hyperv needs Linux 5.19 or newer on the host: its sandbox has ids of its own",
      );
    state.idRange = ranges.take();
    return true;
  }
  const shared = [hostConfig.NetworkMode, hostConfig.PidMode, hostConfig.IpcMode]
    .map(sharedWith)
    .filter((ref) => ref !== null)
    .map((ref) => context.table.get(ref));
  const mapped = shared.filter((other) => other.record.state.idRange !== null);
  const [first] = mapped;
  if (first) {
    if (
      mapped.some((other) => other !== first && other.record.state.idRange !== first.record.state.idRange)
    ) {
      throw conflict(
        "cannot share namespaces of containers that have different user namespaces: " +
          "start one of them with the other's, or both with --userns=host",
      );
    }
    state.idRange = first.record.state.idRange;
    if (state.idRange !== null) ranges.claim(state.idRange);
    return `/proc/${runningPid(context, first.id)}/ns/user`;
  }
  if (shared.length > 0 || hostConfig.UsernsMode === "host" || hostConfig.Privileged) return false;
  if (!kernelFeatures().idmappedOverlay) return false;
  state.idRange = ranges.take();
  return true;
}

/** A process of the container whose IPC namespace is shared; throws with dockerd's text when it shares none. */
function ipcPeer(context: EngineContext, { IpcMode }: HostConfig): number | null {
  const ref = sharedWith(IpcMode);
  if (ref === null) return null;
  const pid = runningPid(context, ref);
  const { id, record } = context.table.get(ref);
  const mode = record.hostConfig.IpcMode ?? "";
  if (mode === "private" || mode === "none") {
    throw system(
      `can't join IPC of container ${id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  }
  return pid;
}

function runningPid(context: EngineContext, ref: string): number {
  const other = context.table.find(ref);
  if (!other) throw notFound(`No such container: ${ref}`);
  if (!other.running) throw conflict(`cannot join namespace of a non running container: ${other.id}`);
  if (isIsolated(other.record.hostConfig))
    throw conflict(`cannot join the namespaces of container ${other.id}: they are in a virtual machine`);
  return other.record.state.pid;
}
