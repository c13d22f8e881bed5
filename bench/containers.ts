import { imageName } from "./image.ts";
import type { Daemon } from "./peers/daemon.ts";

export type NetworkMode = "none" | "bridge";

/** Ports of a container and where they are published, as the API has them. */
export type Ports = Record<string, { HostIp: string; HostPort: string }[]>;

/** Creates a container that runs `command`; answers its id. */
export const create = (daemon: Daemon, command: string[], network: NetworkMode = "none"): Promise<string> =>
  createOn(daemon, command, network, {});

/** The same on any network, with published ports. */
export async function createOn(
  { api }: Daemon,
  command: string[],
  network: string,
  ports: Ports,
  name?: string,
): Promise<string> {
  const query = name === undefined ? "" : `?name=${name}`;
  const { Id } = await api.json<{ Id: string }>("POST", `/containers/create${query}`, {
    Image: imageName,
    Cmd: command,
    ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])),
    HostConfig: { NetworkMode: network, PortBindings: ports },
  });
  return Id;
}

export async function start({ api }: Daemon, id: string): Promise<void> {
  await api.call("POST", `/containers/${id}/start`);
}

export async function remove({ api }: Daemon, id: string): Promise<void> {
  await api.call("DELETE", `/containers/${id}?force=1`);
}

export const lifeParts = ["create", "start", "wait", "remove"] as const;

/** How long each part of a life took, in milliseconds. */
export type LifeParts = Record<(typeof lifeParts)[number], number>;

/** A container's whole life: create, start, wait for its end, remove. */
export async function life(
  daemon: Daemon,
  network: NetworkMode = "none",
  ports: Ports = {},
): Promise<LifeParts> {
  const began = performance.now();
  const id = await createOn(daemon, ["/bin/true"], network, ports);
  const created = performance.now();
  await start(daemon, id);
  const started = performance.now();
  const { StatusCode } = await daemon.api.json<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
  if (StatusCode !== 0) throw new Error(`${daemon.name}: true ended with ${StatusCode}`);
  const ended = performance.now();
  await daemon.api.call("DELETE", `/containers/${id}`);
  return {
    create: created - began,
    start: started - created,
    wait: ended - started,
    remove: performance.now() - ended,
  };
}

/** `true` in a running container: create the exec, start it and read to its end, ask for its exit code. */
export async function exec({ api, name }: Daemon, id: string): Promise<void> {
  const { Id } = await api.json<{ Id: string }>("POST", `/containers/${id}/exec`, {
    Cmd: ["/bin/true"],
    AttachStdout: true,
    AttachStderr: true,
  });
  await api.call("POST", `/exec/${Id}/start`, { Detach: false, Tty: false });
  const { ExitCode, Running } = await api.json<{ ExitCode: number; Running: boolean }>(
    "GET",
    `/exec/${Id}/json`,
  );
  if (ExitCode !== 0 || Running) throw new Error(`${name}: exec of true ended with ${ExitCode}`);
}

/** The PID on the host of a container's first process. */
export async function firstProcess({ api }: Daemon, id: string): Promise<number> {
  const { State } = await api.json<{ State: { Pid: number } }>("GET", `/containers/${id}/json`);
  return State.Pid;
}
