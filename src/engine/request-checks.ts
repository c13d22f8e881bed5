import { isIP } from "node:net";
import type { ContainerCreateRequest } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";
import { checkPortBindings } from "./network/ports.ts";

/** Refuses malformed variables, ports and hosts of a request, with dockerd's texts. */
export function checkRequest({ Env, HostConfig }: ContainerCreateRequest): void {
  for (const variable of Env ?? [])
    if (variable === "" || variable.startsWith("="))
      throw invalid(`invalid environment variable: ${variable}`);
  checkPortBindings(HostConfig?.PortBindings);
  for (const entry of HostConfig?.ExtraHosts ?? []) checkExtraHost(entry);
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
