import { constants } from "node:os";
import type { ExecConfig, ExecInspectResponse } from "@docker/node-sdk";
import { conflict, invalid, notFound } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { orNull } from "../lib/or-null.ts";
import { LaunchError } from "../runtime/launch-error.ts";
import type { Process, Spec } from "../runtime/oci.ts";
import type { ExecLaunch, Shim, Stdio } from "../runtime/types.ts";
import { attachShim } from "./attach.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { isIsolated, rootOf } from "./isolation/isolation.ts";
import { execSpec } from "./launch.ts";
import { execInMachine } from "./machines/agent.ts";
import { isMachine } from "./machines/record.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { capabilitySets, environment } from "./spec/process.ts";
import { resolveUser } from "./spec/user.ts";
import type { Attachment, ExecStartOptions, Execs, Size } from "./types.ts";

const { EINVAL } = constants.errno;
/** How long a finished exec can still be inspected; docker forgets it at some time too. */
const KEEP_MS = 5 * 60_000;

interface Exec {
  id: string;
  container: Container;
  config: ExecConfig;
  shim: Shim | null;
  state: "created" | "running" | "exited";
  exitCode: number | null;
  pid: number;
  started: PromiseWithResolvers<Shim>;
  ended: PromiseWithResolvers<number>;
  /** Set when it has ended: how long it can still be inspected. */
  forgetting: NodeJS.Timeout | undefined;
}

/** Further processes in running containers. */
export class ExecTable implements Execs {
  readonly #context: EngineContext;
  readonly #execs = new Map<string, Exec>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  async create(containerRef: string, config: ExecConfig): Promise<{ Id: string }> {
    return this.createIn(this.#context.table.get(containerRef), containerRef, config);
  }

  /** As `create`, for a container or machine that was found already. */
  async createIn(container: Container, ref: string, config: ExecConfig): Promise<{ Id: string }> {
    checkRunning(container, ref);
    if (!config.Cmd?.length) throw invalid("No exec command specified");
    const exec: Exec = {
      id: newId(),
      container,
      config,
      shim: null,
      state: "created",
      exitCode: null,
      pid: 0,
      started: Promise.withResolvers(),
      ended: Promise.withResolvers(),
      forgetting: undefined,
    };
    // Only a resize waits for it, and whoever starts is told of a failure anyway.
    exec.started.promise.catch(() => undefined);
    this.#execs.set(exec.id, exec);
    container.execIds.add(exec.id);
    containerEvent(this.#context, container, `exec_create: ${commandText(config.Cmd)}`, { execID: exec.id });
    return { Id: exec.id };
  }

  async start(id: string, options: ExecStartOptions = {}): Promise<Attachment | null> {
    const exec = this.#get(id);
    if (exec.state === "exited") throw conflict(`exec command ${id} has already run`);
    if (exec.state === "running") throw conflict(`exec ${id} is already running`);
    const { container, config } = exec;
    checkRunning(container);
    exec.state = "running";
    const tty = config.Tty ?? false;
    const stdin = !options.detach && (config.AttachStdin ?? false);
    const attached = !options.detach && (stdin || !!config.AttachStdout || !!config.AttachStderr);
    const [height = 0, width = 0] = config.ConsoleSize ?? [];
    const size = options.consoleSize ?? (height > 0 && width > 0 ? { height, width } : undefined);
    containerEvent(this.#context, container, `exec_start: ${commandText(config.Cmd)}`, { execID: id });
    try {
      exec.shim = await this.#launch(exec, {
        tty,
        stdin,
        stdinOnce: true,
        ...(size ? { consoleSize: size } : {}),
        waitForAttach: attached ? 1 : 0,
      });
    } catch (error) {
      exec.started.reject(error);
      this.#finish(exec, error instanceof LaunchError && error.exitCode === 127 ? 127 : 126);
      throw error;
    }
    const { shim } = exec;
    exec.pid = shim.pid;
    exec.started.resolve(shim);
    shim.exited.then(
      ({ exitCode }) => this.#exited(exec, shim, exitCode),
      () => this.#exited(exec, shim, 137),
    );
    if (!attached) return null;
    return attachShim(
      tty,
      shim.attach({ stdin, stdout: config.AttachStdout ?? false, stderr: config.AttachStderr ?? false }),
    );
  }

  async #launch({ id, container, config }: Exec, stdio: Stdio): Promise<Shim> {
    if (isMachine(container)) {
      const { Cmd: args = [], Env: env = [], WorkingDir: cwd = "", User: user = "" } = config;
      return execInMachine(this.#context, container, { id, args, env, cwd, user, stdio });
    }
    checkWorkingDirectory(config);
    const spec = execSpec(this.#context, container);
    const host = isIsolated(container.record.hostConfig)
      ? { exec: (launch: ExecLaunch) => this.#context.machines.exec(container, launch) }
      : this.#context.runtime;
    return host.exec({
      id,
      containerId: container.id,
      containerPid: container.record.state.pid,
      spec,
      process: execProcess(container, config, spec, stdio.consoleSize),
      stdio,
    });
  }

  async inspect(id: string): Promise<ExecInspectResponse> {
    const exec = this.#get(id);
    const { config } = exec;
    return {
      ID: exec.id,
      Running: exec.state === "running",
      ExitCode: orNull(exec.exitCode),
      ProcessConfig: {
        tty: config.Tty ?? false,
        entrypoint: config.Cmd?.[0] ?? "",
        arguments: config.Cmd?.slice(1) ?? [],
        privileged: config.Privileged ?? false,
        ...(config.User ? { user: config.User } : {}),
      },
      OpenStdin: config.AttachStdin ?? false,
      OpenStderr: config.AttachStderr ?? false,
      OpenStdout: config.AttachStdout ?? false,
      CanRemove: exec.state === "exited",
      ContainerID: exec.container.id,
      DetachKeys: config.DetachKeys ?? "",
      Pid: exec.pid,
    };
  }

  async resize(id: string, size: Size): Promise<void> {
    const exec = this.#get(id);
    // Clients resize as soon as they have the stream, which may be before the process runs.
    if (exec.state !== "running") throw conflict(`exec ${id} is not running`);
    const shim = await exec.started.promise;
    if (exec.config.Tty) await shim.resize(size);
  }

  /** Resolves with the exit code when the process has ended. */
  wait(id: string): Promise<number> {
    return this.#get(id).ended.promise;
  }

  /** Sends a signal; nothing when the process has ended already. */
  async kill(id: string, signal: number): Promise<void> {
    const { shim, state } = this.#get(id);
    if (shim && state === "running") await shim.signal(signal);
  }

  /** Drops one that has ended now rather than later: health checks make many. */
  forget(id: string): void {
    const exec = this.#execs.get(id);
    if (exec?.state !== "exited") return;
    clearTimeout(exec.forgetting);
    this.#execs.delete(id);
  }

  #get(id: string): Exec {
    const exec = this.#execs.get(id);
    if (exec) return exec;
    const found =
      id === "" ? [] : [...this.#execs.values()].filter((candidate) => candidate.id.startsWith(id));
    const [only] = found;
    if (only && found.length === 1) return only;
    throw notFound(`No such exec instance: ${id}`);
  }

  async #exited(exec: Exec, shim: Shim, exitCode: number): Promise<void> {
    this.#finish(exec, exitCode);
    containerEvent(this.#context, exec.container, "exec_die", {
      execID: exec.id,
      exitCode: String(exitCode),
    });
    await shim.dispose();
  }

  #finish(exec: Exec, exitCode: number): void {
    exec.state = "exited";
    exec.exitCode = exitCode;
    exec.ended.resolve(exitCode);
    exec.container.execIds.delete(exec.id);
    exec.forgetting = setTimeout(() => this.#execs.delete(exec.id), KEEP_MS).unref();
  }
}

/** As dockerd's events have it: with a blank after the program, whatever follows. */
const commandText = ([program = "", ...args]: string[] = []): string => `${program} ${args.join(" ")}`;

/** `ref` is how the caller called it. */
function checkRunning(container: Container, ref = container.id): void {
  if (container.status === "paused") {
    throw conflict(`Container ${ref} is paused, unpause the container before exec`);
  }
  if (container.status === "restarting") {
    throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
  }
  if (container.status !== "running") throw conflict(`container ${container.id} is not running`);
}

/** From where would a relative one be? As runc refuses it. */
function checkWorkingDirectory({ WorkingDir: path = "" }: ExecConfig): void {
  if (path === "" || path.startsWith("/")) return;
  const text = "OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown";
  throw new LaunchError("INVALID_PARAMETER", text, { phase: "child", errno: EINVAL, exitCode: 126 });
}

function execProcess(container: Container, config: ExecConfig, spec: Spec, size: Size | undefined): Process {
  const { record } = container;
  const { hostConfig } = record;
  const user = resolveUser(
    [rootOf(container)],
    config.User || record.config.User || "",
    hostConfig.GroupAdd ?? [],
  );
  const privileged = (config.Privileged ?? false) || (hostConfig.Privileged ?? false);
  const base = {
    ...record.config,
    Tty: config.Tty,
    Env: [...(record.config.Env ?? []), ...(config.Env ?? [])],
  };
  return {
    terminal: config.Tty ?? false,
    ...(size ? { consoleSize: size } : {}),
    cwd: config.WorkingDir || record.config.WorkingDir || "/",
    env: environment(base, user.home),
    args: config.Cmd ?? [],
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    rlimits: spec.process.rlimits,
    capabilities: capabilitySets(record, user.uid, privileged),
    noNewPrivileges: parseSecurityOptions(hostConfig.SecurityOpt).noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}
