// The distribution project's own registry, as Debian has it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { until } from "./daemon.ts";

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Debian's docker-registry on loopback. */
export class RegistryProcess {
  readonly host: string;
  readonly #child: ChildProcess;

  private constructor(host: string, child: ChildProcess) {
    this.host = host;
    this.#child = child;
  }

  /** Keeps its files in `directory`; `more` are further lines of its configuration, within `http`. */
  static async start(directory: string, more = ""): Promise<RegistryProcess> {
    const port = await freePort();
    mkdirSync(directory, { recursive: true });
    const file = join(directory, "config.yml");
    writeFileSync(
      file,
      `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${directory}/data}}
http:
  addr: 127.0.0.1:${port}
${more}`,
    );
    const child = spawn("docker-registry", ["serve", file], { stdio: "ignore" });
    await until("the registry listens", () => reachable(port));
    return new RegistryProcess(`127.0.0.1:${port}`, child);
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}

function reachable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
