import type { ContainerCreateRequest, HostConfig, Mount, NetworkingConfig } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";

/**
 * Reads a create request as its API version means it, changing it in place: what a version did not
 * know yet is dropped or refused, as by dockerd. `version` is the minor number. Returns warnings.
 */
export function adaptCreateRequest(request: ContainerCreateRequest, version: number): string[] {
  request.HostConfig ??= {};
  request.NetworkingConfig ??= {};
  const { HostConfig: host, NetworkingConfig: networking } = request;
  defaultNetwork(host, networking);
  if (version < 25) host.AutoRemove = false;
  if (version < 40) host.IpcMode ||= "shareable";
  if (version < 42) delete host.ConsoleSize;
  if (version < 43) delete host.Annotations;
  if (version < 44) {
    delete request.Healthcheck?.StartInterval;
    onlyOneNetwork(networking);
  }
  for (const mount of host.Mounts ?? []) adaptMount(mount, version);
  // 0 and any negative number mean no limit.
  if (host.PidsLimit && host.PidsLimit < 0) host.PidsLimit = 0;
  return moveMacAddress(request, host, networking, version);
}

/** "default" is this system's default network, whatever it is called elsewhere. */
function defaultNetwork(host: HostConfig, networking: NetworkingConfig): void {
  if (host.NetworkMode && host.NetworkMode !== "default") return;
  host.NetworkMode = "bridge";
  const endpoints = networking.EndpointsConfig;
  if (endpoints?.default) {
    endpoints.bridge = endpoints.default;
    delete endpoints.default;
  }
}

function onlyOneNetwork(networking: NetworkingConfig): void {
  const names = Object.keys(networking.EndpointsConfig ?? {});
  if (names.length > 1) {
    throw invalid(`Container cannot be created with multiple network endpoints: ${names.join(", ")}`);
  }
}

function adaptMount(mount: Mount, version: number): void {
  if (version < 42) {
    delete mount.BindOptions?.CreateMountpoint;
    if (mount.Type !== "volume") delete mount.VolumeOptions;
    if (mount.Type !== "tmpfs") delete mount.TmpfsOptions;
  } else {
    onlyFor(mount, "VolumeOptions", "volume");
    onlyFor(mount, "BindOptions", "bind");
    onlyFor(mount, "TmpfsOptions", "tmpfs");
  }
  if (version < 40) delete mount.BindOptions?.NonRecursive;
  if (version < 44 && mount.Type === "bind") {
    if (mount.BindOptions?.ReadOnlyForceRecursive) {
      throw invalid("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
    }
    // Before it could be chosen, a read-only mount left the mounts below it writable.
    if (mount.ReadOnly) mount.BindOptions = { ...mount.BindOptions, ReadOnlyNonRecursive: true };
  }
  if (version < 45 && mount.VolumeOptions?.Subpath) {
    throw invalid("VolumeOptions.Subpath needs API v1.45 or newer");
  }
}

function onlyFor(
  mount: Mount,
  options: "VolumeOptions" | "BindOptions" | "TmpfsOptions",
  type: string,
): void {
  if (mount[options] && mount.Type !== type) {
    throw invalid(`${options} must not be specified on mount type ${JSON.stringify(mount.Type ?? "")}`);
  }
}

const hasInterface = (mode: string | undefined): boolean =>
  mode !== undefined && mode !== "none" && mode !== "host" && !mode.startsWith("container:");

/** The container's own MAC address of old is that of its endpoint in its first network. */
function moveMacAddress(
  request: ContainerCreateRequest,
  host: HostConfig,
  networking: NetworkingConfig,
  version: number,
): string[] {
  const address = request.MacAddress;
  if (!address) {
    if (version < 44) {
      for (const endpoint of Object.values(networking.EndpointsConfig ?? {})) delete endpoint.MacAddress;
    }
    return [];
  }
  if (hasInterface(host.NetworkMode)) setMacAddress(host, networking, address, version);
  else if (version < 44) {
    throw invalid("conflicting options: mac-address and the network mode");
  }
  // It is kept as well, for clients that take the container out of its network and put it in again.
  if (version < 44) return [];
  return [
    "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.",
  ];
}

function setMacAddress(
  host: HostConfig,
  networking: NetworkingConfig,
  address: string,
  version: number,
): void {
  const network = host.NetworkMode ?? "bridge";
  networking.EndpointsConfig ??= {};
  const endpoints = networking.EndpointsConfig;
  const [only] = Object.values(endpoints);
  if (!only) {
    endpoints[network] = { MacAddress: address };
    return;
  }
  const endpoint = version < 44 ? only : endpoints[network];
  if (!endpoint) {
    throw invalid("HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks");
  }
  if (version >= 44 && endpoint.MacAddress && endpoint.MacAddress !== address) {
    throw invalid(
      "the container-wide MAC address must match the endpoint-specific MAC address for the main network, " +
        "or be left empty",
    );
  }
  endpoint.MacAddress = address;
}
