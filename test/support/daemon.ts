// A Berth daemon of a test's own, with the real docker CLI pointed at it.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { busyboxImage, dockerArchive } from "./images.ts";

const repository = resolve(dirname(new URL(import.meta.url).pathname), "../..");
export const berth = process.env.BERTH_TEST_PROGRAM || join(repository, "bin/berth");

/** How many times longer than usual things may take, as inside an emulated machine. */
export const patience = Number(process.env.BERTH_TEST_PATIENCE) || 1;

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string | Buffer;
  env?: Record<string, string>;
  /** Milliseconds, times the patience, until it is killed and the test fails; 60,000 by default. */
  timeout?: number;
}

/** Runs a program to its end. Never throws for an exit code: the tests look at it. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return new Promise((done, fail) => {
    const spawnOptions: SpawnOptions = { env: { ...process.env, ...options.env }, stdio: "pipe" };
    const child = spawn(command, args, spawnOptions);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timeout = (options.timeout ?? 60_000) * patience;
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(new Error(`no end after ${timeout} ms: ${command} ${args.join(" ")}`));
    }, timeout);
    child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", fail);
    child.on("close", (code) => {
      clearTimeout(timer);
      done({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input);
  });
}

export class TestDaemon {
  readonly directory: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly socket: string;
  #child: ChildProcess | null = null;
  #log = "";

  constructor(name = "test") {
    this.directory = mkdtempSync(join(tmpdir(), `berth-${name}-`));
    this.dataRoot = join(this.directory, "data");
    this.execRoot = join(this.directory, "run");
    this.socket = join(this.directory, "berth.sock");
  }

  /** Starts a daemon and a busybox image in it. */
  static async start(name?: string): Promise<TestDaemon> {
    const daemon = new TestDaemon(name);
    try {
      await daemon.up();
      await daemon.ok(["load"], { input: dockerArchive([busyboxImage()]) });
      if (process.env.BERTH_TEST_TEMPLATES) await daemon.makeTemplate();
    } catch (error) {
      // Nobody has it, and a test's process does not end before its children.
      await daemon.down("SIGKILL");
      throw error;
    }
    return daemon;
  }

  /** From which containers with --isolation=hyperv start then. */
  async makeTemplate(...size: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.berth(["vm", "template", "create", ...size]);
    if (code !== 0) throw new Error(`vm template create: ${stderr}\n${this.#log}`);
    return stdout.trim();
  }

  get host(): string {
    return `unix://${this.socket}`;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the daemon does not run");
    return pid;
  }

  /** What the daemon has logged so far. */
  get log(): string {
    return this.#log;
  }

  async up(...args: string[]): Promise<void> {
    const isolation = process.env.BERTH_TEST_ISOLATION;
    const options = isolation ? [`--exec-opt=isolation=${isolation}`] : [];
    const child = spawn(
      berth,
      [
        ...["daemon", "-H", this.host, "--data-root", this.dataRoot, "--exec-root", this.execRoot],
        ...options,
        // Else machines are made beside what a test does.
        "--no-guest-templates",
        ...args,
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#child = child;
    const said = once(child, "close");
    const keep = (chunk: Buffer): void => {
      this.#log += chunk.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    for (let attempt = 0; attempt < 1000 * patience; attempt++) {
      if (child.exitCode !== null) {
        // Its last words may be on the way.
        await Promise.race([said, sleep(1000)]);
        throw new Error(`the daemon ended at once:\n${this.#log}`);
      }
      if (await answers(this.socket)) return;
      await sleep(10);
    }
    throw new Error(`the daemon does not answer:\n${this.#log}`);
  }

  /** Ends the daemon and waits for its end. Containers stay. */
  async down(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
    if (signal === "SIGTERM" && child.exitCode !== 0)
      throw new Error(
        `the daemon did not stop in order (${child.signalCode ?? child.exitCode}):\n${this.#log}`,
      );
  }

  /** The docker CLI against this daemon. */
  docker(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run("docker", ["-H", this.host, ...args], options);
  }

  /** As `docker`, for commands that must succeed; returns what they print, trimmed. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.docker(args, options);
    if (result.code !== 0) {
      throw new Error(
        `docker ${args.join(" ")}: exit ${result.code}\n${result.stderr}${result.stdout}\n${this.#log}`,
      );
    }
    return result.stdout.trim();
  }

  /** The CLI of our own against this daemon. */
  berth(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run(berth, ["-H", this.host, ...args], options);
  }

  /** Removes every container, ends the daemon and removes its directories. */
  async end(): Promise<void> {
    if (!this.#child) await this.up();
    const ids = (await this.ok(["ps", "-aq"])).split("\n").filter(Boolean);
    if (ids.length > 0) await this.ok(["rm", "-f", ...ids]);
    await this.down();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The cgroup that is the parent of this daemon's containers. */
  get cgroupParent(): string {
    return `berth-${createHash("sha256").update(this.dataRoot).digest("hex").slice(0, 8)}`;
  }

  /** What is on the machine in this daemon's name beyond the containers `expected` (full ids). */
  leftovers(expected: readonly string[] = []): string[] {
    return [
      ...entries(join(this.execRoot, "shims")).filter((id) => !expected.includes(id)),
      ...entries(join(this.dataRoot, "containers")).filter((id) => !expected.includes(id)),
      ...this.#cgroups().filter((path) => !expected.some((id) => path.endsWith(id))),
      ...readFileSync("/proc/self/mountinfo", "utf8")
        .split("\n")
        // A running daemon may have its exec root on a file system in memory.
        .filter((line) => line.includes(this.directory) && !line.includes(` ${this.execRoot} `)),
      ...(expected.length === 0 && !this.#child ? this.#networks() : []),
    ];
  }

  /** Bridges, containers' links and the rules of this daemon; an ended one leaves none without containers. */
  #networks(): string[] {
    const tag = this.cgroupParent.slice("berth-".length, "berth-".length + 4);
    const begins = [`berth-${tag}`, `br-${tag}`, `bv${tag}`, `bn${tag}`];
    const links = readdirSync("/sys/class/net").filter((name) =>
      begins.some((begin) => name.startsWith(begin)),
    );
    const tables = spawnSync("nft", ["list", "tables"]).stdout?.toString() ?? "";
    return [...links, ...tables.split("\n").filter((line) => line.endsWith(` berth_${tag}`))];
  }

  #cgroups(): string[] {
    const roots = entries("/sys/fs/cgroup").map((controller) => join("/sys/fs/cgroup", controller));
    return ["/sys/fs/cgroup", ...roots]
      .map((root) => join(root, this.cgroupParent))
      .flatMap((parent) => directories(parent).map((name) => join(parent, name)));
  }
}

const entries = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);

const directories = (path: string): string[] =>
  existsSync(path)
    ? readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
    : [];

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path, () => {
      socket.destroy();
      done(true);
    });
    socket.on("error", () => done(false));
  });
}

/** Polls until `condition` holds; fails with `what` after ten seconds, times the patience. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 500 * patience; attempt++) {
    if (await condition()) return;
    await sleep(20);
  }
  throw new Error(`not in ${10 * patience} s: ${what}`);
}
