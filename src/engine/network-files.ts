import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import type { NetworkFiles } from "./spec/mounts.ts";

/** Every container's directory of network files; below the exec root, since each start writes them anew. */
export const networkDirectory = (context: EngineContext): string => join(context.execRoot, "network");

/** Where a container's own /etc/hostname, /etc/hosts and /etc/resolv.conf are on the host. */
export function networkFiles(context: EngineContext, id: string): NetworkFiles {
  const directory = join(networkDirectory(context), id);
  return {
    hostname: join(directory, "hostname"),
    hosts: join(directory, "hosts"),
    resolvConf: join(directory, "resolv.conf"),
  };
}

/** Writes them for a start. */
export function writeNetworkFiles(container: Container, files: NetworkFiles): void {
  const { config, hostConfig } = container.record;
  mkdirSync(dirname(files.hostname), { recursive: true, mode: 0o711 });
  writeFileSync(files.hostname, `${config.Hostname}\n`);
  writeFileSync(
    files.hosts,
    hostConfig.NetworkMode === "host" ? hostFile("/etc/hosts") : hosts(hostConfig.ExtraHosts),
  );
  writeFileSync(files.resolvConf, resolvConf(hostConfig));
}

function hosts(extra: string[] | null | undefined): string {
  const lines = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
  ];
  for (const entry of extra ?? []) {
    const at = entry.search(/[:=]/);
    if (at > 0) lines.push(`${entry.slice(at + 1)}\t${entry.slice(0, at)}`);
  }
  return `${lines.join("\n")}\n`;
}

function resolvConf(hostConfig: { Dns?: string[]; DnsSearch?: string[]; DnsOptions?: string[] }): string {
  const own = [
    ...(hostConfig.DnsSearch?.length ? [`search ${hostConfig.DnsSearch.join(" ")}`] : []),
    ...(hostConfig.Dns ?? []).map((address) => `nameserver ${address}`),
    ...(hostConfig.DnsOptions?.length ? [`options ${hostConfig.DnsOptions.join(" ")}`] : []),
  ];
  return own.length > 0 ? `${own.join("\n")}\n` : hostFile("/etc/resolv.conf");
}

function hostFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
