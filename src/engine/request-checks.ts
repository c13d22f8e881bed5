import { isIP } from "node:net";
import type { ContainerCreateRequest, EndpointSettings } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";
import { checkPortBindings } from "./network/ports.ts";

/** Refuses malformed variables, ports and hosts of a request, with dockerd's texts. */
export function checkRequest({ Env, HostConfig, NetworkingConfig }: ContainerCreateRequest): void {
  for (const variable of Env ?? [])
    if (variable === "" || variable.startsWith("="))
      throw invalid(`invalid environment variable: ${variable}`);
  checkPortBindings(HostConfig?.PortBindings);
  for (const wish of Object.values(NetworkingConfig?.EndpointsConfig ?? {})) checkAddresses(wish ?? {});
  for (const entry of HostConfig?.ExtraHosts ?? []) checkExtraHost(entry);
}

/** Whether they fit the network is asked at the start. */
function checkAddresses({ IPAMConfig }: EndpointSettings): void {
  const { IPv4Address: ipv4, IPv6Address: ipv6, LinkLocalIPs: linkLocal } = IPAMConfig ?? {};
  if (ipv4 && isIP(ipv4) !== 4) throw invalid(`invalid IPv4 address: ${ipv4}`);
  if (ipv6 && isIP(ipv6) !== 6) throw invalid(`invalid IPv6 address: ${ipv6}`);
  for (const address of linkLocal ?? [])
    if (isIP(address) === 0) throw invalid(`Invalid link-local IP address: ${address}`);
}

/** A line of /etc/hosts is made of it. */
function checkExtraHost(entry: string): void {
  const at = entry.search(/[:=]/);
  if (at <= 0 || /\s/.test(entry.slice(0, at)))
    throw invalid(`bad format for add-host: ${JSON.stringify(entry)}`);
  const address = entry.slice(at + 1);
  const bare = /^\[.*\]$/.test(address) ? address.slice(1, -1) : address;
  if (bare !== "host-gateway" && isIP(bare) === 0)
    throw invalid(`invalid IP address in add-host: ${JSON.stringify(address)}`);
}
