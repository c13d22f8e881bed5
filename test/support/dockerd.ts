// dockerd as a peer, where it is installed.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Result, type RunOptions, run } from "./daemon.ts";

const program = ["/usr/sbin/dockerd", "/usr/bin/dockerd"].find((path) => existsSync(path));
/** Why there is no dockerd to compare with; false when there is one. */
export const noDockerd = program === undefined ? "dockerd is not installed" : false;

/** A dockerd of this test's own, on no network. */
export class Peer {
  readonly directory: string;
  readonly socket: string;
  #child: ChildProcess | undefined;

  constructor(name: string) {
    this.directory = mkdtempSync(join(tmpdir(), `berth-${name}-peer-`));
    this.socket = join(this.directory, "docker.sock");
  }

  async up(): Promise<void> {
    const at = (name: string): string => join(this.directory, name);
    const child = spawn(
      program ?? "",
      [
        "--host",
        `unix://${this.socket}`,
        "--data-root",
        at("data"),
        "--exec-root",
        at("exec"),
        "--pidfile",
        at("pid"),
        "--iptables=false",
        "--bridge=none",
        "--storage-driver=overlay2",
      ],
      { stdio: "ignore" },
    );
    this.#child = child;
    for (let attempt = 0; attempt < 300; attempt++) {
      if (child.exitCode !== null) throw new Error("dockerd ended at once");
      if ((await run("docker", ["-H", `unix://${this.socket}`, "version"])).code === 0) return;
      await sleep(100);
    }
    throw new Error("dockerd does not answer");
  }

  /** The docker CLI against this daemon. */
  docker(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run("docker", ["-H", `unix://${this.socket}`, ...args], options);
  }

  /** As `docker`, for commands that must succeed; returns what they print, trimmed. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.docker(args, options);
    if (code !== 0) throw new Error(`docker ${args.join(" ")}: exit ${code}\n${stderr}${stdout}`);
    return stdout.trim();
  }

  async down(): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null) {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill();
      await ended;
    }
    // dockerd mounts its own data root and leaves it mounted.
    spawnSync("umount", ["-R", join(this.directory, "data")], { stdio: "ignore" });
    rmSync(this.directory, { recursive: true, force: true });
  }
}
