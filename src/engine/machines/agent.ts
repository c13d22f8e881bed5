import { GuestChannel } from "../../hypervisor/guest/channel.ts";
import { BerthError, conflict, invalid } from "../../lib/errors.ts";
import { capabilityNames } from "../../runtime/capabilities.ts";
import { defaultPath } from "../../runtime/defaults.ts";
import { GuestRuntime } from "../../runtime/guest/runtime.ts";
import type { Capabilities, Process, Spec } from "../../runtime/oci.ts";
import type { Shim, Stdio } from "../../runtime/types.ts";
import type { EngineContext } from "../context.ts";
import { machinePaths } from "./paths.ts";
import type { Machine } from "./record.ts";

interface Agent {
  channel: GuestChannel;
  runtime: GuestRuntime;
}

/** Milliseconds that a guest may take until it answers: it may just be booting. */
const patience = 30_000;

/** The connections to guests, made at their first need. */
const agents = new WeakMap<Machine, Promise<Agent>>();

/** Runs programs in a machine's system, beside its init. Throws UNAVAILABLE when nothing there answers. */
async function agentOf(context: EngineContext, machine: Machine, timeoutMs: number): Promise<Agent> {
  const known = agents.get(machine);
  if (known) return known;
  const opening = open(context, machine, timeoutMs);
  agents.set(machine, opening);
  const forget = (): void => {
    if (agents.get(machine) === opening) agents.delete(machine);
  };
  opening.then(({ channel }) => channel.closed.then(forget), forget);
  return opening;
}

async function open(context: EngineContext, machine: Machine, timeoutMs: number): Promise<Agent> {
  const { name, machine: record, state } = machine.record;
  if (record.token === "")
    throw conflict(
      `the machine ${name} boots a disk of its own: nothing in it runs commands for Berth. Use its console ` +
        "(`berth vm console`) or the network; machines made of images (--image) bring what `exec` needs",
    );
  const gone = new AbortController();
  const end = (): void => gone.abort();
  machine.shim?.exited.then(end, end);
  try {
    const channel = await GuestChannel.open(machinePaths(context, machine.id).agent, record.token, {
      timeoutMs,
      signal: gone.signal,
    });
    return { channel, runtime: new GuestRuntime(channel, context.filters) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const status = state.status === "running" ? "" : " any more";
    throw new BerthError("UNAVAILABLE", `the guest of machine ${name} does not answer${status}: ${why}`, {
      cause: error,
    });
  }
}

/** Lets a connection go whose other end is not what it was: the guest restarted, or went back to a snapshot. */
export function dropAgent(machine: Machine): void {
  const known = agents.get(machine);
  agents.delete(machine);
  known?.then(
    ({ channel }) => channel.close(),
    () => undefined,
  );
}

export interface GuestCommand {
  id: string;
  args: readonly string[];
  env: readonly string[];
  cwd: string;
  /** "UID[:GID]", the superuser when it is empty. */
  user: string;
  stdio: Stdio;
}

/** Starts a program in a machine's system, with all that the superuser may there. */
export async function execInMachine(
  context: EngineContext,
  machine: Machine,
  command: GuestCommand,
): Promise<Shim> {
  const process = guestProcess(command);
  const { runtime } = await agentOf(context, machine, patience);
  return runtime.exec({
    id: command.id,
    containerId: machine.id,
    // The system's init, whose mounts are the system's.
    containerPid: 1,
    process,
    stdio: command.stdio,
    spec: systemSpec(process),
  });
}

/** Tells the system to shut down; false when nobody answers soon. */
export async function shutDown(context: EngineContext, machine: Machine): Promise<boolean> {
  try {
    await agentOf(context, machine, 2000);
    const shim = await execInMachine(context, machine, {
      id: `poweroff-${Date.now()}`,
      args: ["/bin/sh", "-c", "exec poweroff"],
      env: [],
      cwd: "/",
      user: "",
      stdio: { tty: false, stdin: false, stdinOnce: false, waitForAttach: 0 },
    });
    shim.exited.then(
      () => shim.dispose().catch(() => undefined),
      () => undefined,
    );
    return true;
  } catch {
    return false;
  }
}

function guestProcess({ args, env, cwd, user, stdio }: GuestCommand): Process {
  const [uid, gid] = numbers(user);
  const all = uid === 0 ? [...capabilityNames] : [];
  const capabilities: Capabilities = {
    bounding: [...capabilityNames],
    effective: all,
    permitted: all,
    inheritable: [],
    ambient: [],
  };
  const names = new Set(env.map((variable) => variable.split("=", 1)[0]));
  const base = [
    `PATH=${defaultPath}`,
    uid === 0 ? "HOME=/root" : "HOME=/",
    ...(stdio.tty ? ["TERM=xterm"] : []),
  ];
  return {
    terminal: stdio.tty,
    ...(stdio.consoleSize ? { consoleSize: stdio.consoleSize } : {}),
    cwd: cwd || "/",
    env: [...base.filter((variable) => !names.has(variable.split("=", 1)[0] ?? "")), ...env],
    args: [...args],
    user: { uid, gid },
    capabilities,
    noNewPrivileges: false,
  };
}

function numbers(user: string): [uid: number, gid: number] {
  if (user === "" || user === "root") return [0, 0];
  const [, uid = "", gid = uid] = /^(\d+)(?::(\d+))?$/.exec(user) ?? [];
  if (uid === "")
    throw invalid(
      `user ${JSON.stringify(user)}: only numbers and root are known in a machine, whose users are its own`,
    );
  return [Number(uid), Number(gid)];
}

const systemSpec = (process: Process): Spec => ({
  ociVersion: "1.2.0",
  root: { path: "/", readonly: false },
  process,
  mounts: [],
  linux: { namespaces: [{ type: "mount" }] },
});
