import { isIP } from "node:net";
import type { ContainerCreateRequest, HostConfig } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";

/** Refuses malformed values of a request, with dockerd's texts. */
export function checkRequest({ Env, HostConfig: host }: ContainerCreateRequest): void {
  for (const variable of Env ?? [])
    if (variable === "" || variable.startsWith("="))
      throw invalid(`invalid environment variable: ${variable}`);
  checkPorts(host?.PortBindings);
  for (const entry of host?.ExtraHosts ?? []) checkExtraHost(entry);
}

function checkPorts(bindings: HostConfig["PortBindings"]): void {
  for (const [key, wishes] of Object.entries(bindings ?? {})) {
    const port = key.split("/", 1)[0] ?? "";
    if (!isPort(port)) throw invalid(`invalid port specification: ${JSON.stringify(port)}`);
    for (const { HostPort = "" } of wishes ?? [])
      if (!isPortRange(HostPort)) throw invalid(`invalid port specification: ${JSON.stringify(HostPort)}`);
  }
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) <= 65535;

/** "", "80" or "8000-8010", with or without a protocol. */
function isPortRange(text: string): boolean {
  if (text === "") return true;
  const [first = "", last = first, ...rest] = (text.split("/", 1)[0] ?? "").split("-");
  return rest.length === 0 && isPort(first) && isPort(last) && Number(first) <= Number(last);
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
