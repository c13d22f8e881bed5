import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ApiClient } from "../api-client.ts";
import { treeOf } from "../processes.ts";

/** How to start one engine that serves the Docker Engine API. */
export interface Engine {
  name: string;
  version: string;
  program: string;
  /** The arguments; every path below `directory`, the API on `socket`. */
  args(directory: string, socket: string): string[];
  /** Writes what the engine wants to find before its first start; answers its environment. */
  prepare?(directory: string): NodeJS.ProcessEnv;
}

/**
 * Runs an engine in network and mount namespaces of its own, so that bridges, rules and mounts are its alone
 * and go with it: sh -c INTO_NAMESPACES SCRATCH PROGRAM ARGUMENT... A sysfs of the new network namespace would
 * hide the control groups; they are moved onto it.
 */
const intoNamespaces = [
  'mount --rbind /sys/fs/cgroup "$0"',
  "mount -t sysfs sysfs /sys",
  'mount --move "$0" /sys/fs/cgroup',
  'exec "$@"',
].join(" && ");

/** A private engine: its own directory, its own socket, its own processes. */
export class Daemon {
  readonly engine: Engine;
  readonly directory: string;
  readonly socket: string;
  readonly api: ApiClient;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | null = null;

  constructor(engine: Engine, parent: string) {
    this.engine = engine;
    this.directory = join(parent, engine.name);
    this.socket = join(this.directory, "api.sock");
    this.api = new ApiClient(this.socket);
    mkdirSync(this.directory, { recursive: true });
    this.#env = { ...process.env, ...engine.prepare?.(this.directory) };
  }

  get name(): string {
    return this.engine.name;
  }

  /** What the engine's own programs are started with. */
  get environment(): NodeJS.ProcessEnv {
    return this.#env;
  }

  /** The engine's own processes. */
  get processes(): number[] {
    return this.#child?.pid ? treeOf(this.#child.pid) : [];
  }

  /** Starts the engine; resolves with its first answer to a ping. */
  async start(): Promise<void> {
    const log = openSync(join(this.directory, "log"), "a");
    rmSync(this.socket, { force: true });
    const scratch = join(this.directory, "cgroup");
    mkdirSync(scratch, { recursive: true });
    const engine = [this.engine.program, ...this.engine.args(this.directory, this.socket)];
    const child = spawn("unshare", ["--net", "--mount", "sh", "-c", intoNamespaces, scratch, ...engine], {
      stdio: ["ignore", log, log],
      env: this.#env,
    });
    this.#child = child;
    const ended = new Promise<never>((_, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => reject(new Error(`${this.name} ended with ${code}: ${this.#lastWords()}`)));
    });
    // Later ends are not of interest: stop() waits for its own.
    ended.catch(() => {});
    await Promise.race([this.api.ready(60_000), ended]);
  }

  /** Ends the engine and waits until it is gone. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    this.api.close();
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const processes = child.pid ? treeOf(child.pid) : [];
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    const patience = setTimeout(() => {
      for (const pid of processes) process.kill(pid, "SIGKILL");
    }, 20_000);
    await gone;
    clearTimeout(patience);
  }

  /** Removes what the engine left: its mounts are gone with their namespace. */
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #lastWords(): string {
    return readFileSync(join(this.directory, "log"), "utf8").split("\n").slice(-6).join("\n");
  }
}
