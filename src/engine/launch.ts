import { join } from "node:path";
import { conflict, notFound } from "../lib/errors.ts";
import type { Spec } from "../runtime/oci.ts";
import type { ContainerLaunch } from "../runtime/types.ts";
import { hostLimits } from "../runtime/host.ts";
import { defaultSysctls } from "../runtime/defaults.ts";
import { resolveSeccomp } from "./spec/seccomp.ts";
import type { Container } from "./container.ts";
import { containerDirectory } from "./create.ts";
import type { EngineContext } from "./context.ts";
import { idMapping, RANGE_SIZE } from "./id-ranges.ts";
import { shimLog } from "./log-options.ts";
import { writeNetworkFiles } from "./network-files.ts";
import { mounts } from "./spec/mounts.ts";
import { namespaces, sharedWith } from "./spec/namespaces.ts";
import { initProcess } from "./spec/process.ts";
import { cgroupResources, devices } from "./spec/resources.ts";
import { resolveUser } from "./spec/user.ts";

/** Everything the runtime needs to run a container now. Takes an id range, recorded in the container's state. */
export async function buildLaunch(context: EngineContext, container: Container): Promise<ContainerLaunch> {
  const { record } = container;
  const { config, hostConfig } = record;
  const directory = containerDirectory(context, container.id);
  const rw = join(directory, "rw");
  const layers = await context.images.layers(record.imageId);
  const user = resolveUser([join(rw, "upper"), ...layers], config.User ?? "", hostConfig.GroupAdd ?? []);
  const grant = devices(hostConfig);
  const files = writeNetworkFiles(context, container);
  const userNamespace = chooseUserNamespace(context, container);
  const { idRange } = record.state;
  const mapping = idRange === null ? [] : [idMapping(idRange)];
  const ownNetwork = hostConfig.NetworkMode !== "host" && sharedWith(hostConfig.NetworkMode) === null;

  const spec: Spec = {
    ociVersion: "1.2.0",
    root: { path: join(directory, "rootfs"), readonly: hostConfig.ReadonlyRootfs ?? false },
    ...(hostConfig.UTSMode === "host" ? {} : { hostname: config.Hostname, domainname: config.Domainname }),
    process: initProcess(record, user),
    mounts: mounts(hostConfig, record.mounts, files),
    linux: {
      namespaces: namespaces(hostConfig, (ref) => runningPid(context, ref), userNamespace),
      uidMappings: mapping,
      gidMappings: mapping,
      devices: grant.devices,
      cgroupsPath: record.cgroupPath,
      resources: cgroupResources(hostConfig, grant.rules),
      seccomp: resolveSeccomp(hostConfig),
      sysctl: {
        ...(ownNetwork ? defaultSysctls(idRange === null ? undefined : RANGE_SIZE) : {}),
        ...hostConfig.Sysctls,
      },
      maskedPaths: hostConfig.MaskedPaths ?? [],
      readonlyPaths: hostConfig.ReadonlyPaths ?? [],
    },
  };
  return {
    id: container.id,
    spec,
    rootfs: { dataRoot: context.state.paths.root, lower: layers, rw },
    stdio: {
      tty: config.Tty ?? false,
      stdin: config.OpenStdin ?? false,
      stdinOnce: config.StdinOnce ?? false,
      ...(spec.process.consoleSize ? { consoleSize: spec.process.consoleSize } : {}),
      waitForAttach: container.pendingAttaches.size,
    },
    log: shimLog(hostConfig, config, directory, container.id),
    init: hostConfig.Init ?? false,
  };
}

/**
 * A new user namespace with a range of its own; that of the container whose namespaces are shared,
 * since the kernel lets only its owner in; or none, for --userns=host and --privileged.
 */
function chooseUserNamespace(context: EngineContext, container: Container): boolean | string {
  const { hostConfig, state } = container.record;
  state.idRange = null;
  const shared = [hostConfig.NetworkMode, hostConfig.PidMode, hostConfig.IpcMode]
    .map(sharedWith)
    .filter((ref) => ref !== null)
    .map((ref) => context.table.get(ref));
  const mapped = shared.filter((other) => other.record.state.idRange !== null);
  const [first] = mapped;
  if (first) {
    if (mapped.some((other) => other !== first && other.record.state.idRange !== first.record.state.idRange)) {
      throw conflict(
        "cannot share namespaces of containers that have different user namespaces: " +
          "start one of them with the other's, or both with --userns=host",
      );
    }
    state.idRange = first.record.state.idRange;
    if (state.idRange !== null) context.idRanges.claim(state.idRange);
    return `/proc/${runningPid(context, first.id)}/ns/user`;
  }
  if (shared.length > 0 || hostConfig.UsernsMode === "host" || hostConfig.Privileged) return false;
  if (!hostLimits().idmappedOverlay) return false;
  state.idRange = context.idRanges.take();
  return true;
}

function runningPid(context: EngineContext, ref: string): number {
  const other = context.table.find(ref);
  if (!other) throw notFound(`No such container: ${ref}`);
  if (!other.running) throw conflict(`cannot join namespace of a non running container: ${other.id}`);
  return other.record.state.pid;
}
