import type { ContainerCreateRequest, HostConfig } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";

const size = (value: object | null | undefined): number => Object.keys(value ?? {}).length;

/** Refuses options that contradict each other or that nothing here can honour, with dockerd's texts. */
export function checkConflicts(request: ContainerCreateRequest): void {
  const host = request.HostConfig ?? {};
  const problem = networkConflict(request, host);
  if (problem) throw invalid(`conflicting options: ${problem}`);
}

function networkConflict(request: ContainerCreateRequest, host: HostConfig): string | null {
  const mode = host.NetworkMode ?? "";
  const joins = mode.startsWith("container:");
  const links = size(host.Links) > 0;
  const undefinedLinks = "can't be used with links. This would result in undefined behavior";
  if (joins) {
    if (request.Hostname) return "hostname and the network mode";
    if (links) return `container type network ${undefinedLinks}`;
    if (size(host.Dns) > 0) return "dns and the network mode";
    if (size(host.ExtraHosts) > 0) return "custom host-to-IP mapping and the network mode";
    if (size(host.PortBindings) > 0 || host.PublishAllPorts)
      return "port publishing and the container type network mode";
    if (size(request.ExposedPorts) > 0) return "port exposing and the container type network mode";
  }
  if (host.UTSMode === "host" && request.Hostname) return "hostname and the UTS mode";
  return mode === "host" && links ? `host type networking ${undefinedLinks}` : null;
}

/** What a request asks for in vain, in dockerd's words. */
export function vainOptions({ NetworkMode, PortBindings }: HostConfig): string[] {
  return NetworkMode === "host" && size(PortBindings) > 0
    ? ["Published ports are discarded when using host network mode"]
    : [];
}

/** Fails the start of a container that asks for devices only a device driver, such as one for GPUs, can give. */
export function checkDeviceRequests({ DeviceRequests }: HostConfig): void {
  const [first] = DeviceRequests ?? [];
  if (!first) return;
  const capabilities = (first.Capabilities ?? []).map((all) => `[${all.join(" ")}]`).join(" ");
  throw invalid(
    `could not select device driver ${JSON.stringify(first.Driver ?? "")} with capabilities: [${capabilities}]`,
  );
}
