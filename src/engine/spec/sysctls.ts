import type { HostConfig } from "@docker/node-sdk";
import { refusedSpec } from "./refused.ts";

const ipc = new Set(["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"]);

/**
 * The sysctls asked for. One that is not of a namespace of the container's own would be the host's: it
 * is refused, with runc's texts.
 */
export function sysctls({ Sysctls, NetworkMode, IpcMode, UTSMode }: HostConfig): Record<string, string> {
  for (const name of Object.keys(Sysctls ?? {})) {
    const [first = "", second = "", ...rest] = name.split(/[./]/);
    const quoted = `sysctl ${JSON.stringify(name)}`;
    // "net/../kernel/panic" would be found at its true place.
    if (/(^|\/)\.*(\/|$)/.test(name)) throw refusedSpec(`${quoted} is not in a separate kernel namespace`);
    if (first === "net") {
      if (NetworkMode === "host") throw refusedSpec(`${quoted} not allowed in host network namespace`);
    } else if ((first === "kernel" && ipc.has(second) && rest.length === 0) || isQueue(first, second)) {
      if (IpcMode === "host") throw refusedSpec(`${quoted} is not allowed in the hosts ipc namespace`);
    } else if (name === "kernel.domainname") {
      if (UTSMode === "host") throw refusedSpec(`${quoted} is not allowed in the hosts uts namespace`);
    } else if (name === "kernel.hostname") {
      throw refusedSpec(`${quoted} is not allowed as it conflicts with the OCI "hostname" field`);
    } else throw refusedSpec(`${quoted} is not in a separate kernel namespace`);
  }
  return Sysctls ?? {};
}

const isQueue = (first: string, second: string): boolean => first === "fs" && second === "mqueue";
