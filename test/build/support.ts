import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Result, RunOptions, TestDaemon } from "../support/daemon.ts";

export type Files = Record<string, string | Buffer>;

/** A directory with these files, to be built from. */
export class ContextDirectory {
  readonly path = mkdtempSync(join(tmpdir(), "berth-context-"));

  constructor(files: Files = {}) {
    this.write(files);
  }

  write(files: Files): void {
    for (const [name, data] of Object.entries(files)) {
      mkdirSync(dirname(join(this.path, name)), { recursive: true });
      writeFileSync(join(this.path, name), data);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Runs `docker build` with the classic builder. */
export function dockerBuild(
  daemon: Pick<TestDaemon, "docker">,
  directory: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Result> {
  const env = { DOCKER_BUILDKIT: "0", ...options.env };
  return daemon.docker(["build", ...args, directory], { ...options, env });
}

/** Builds these files; the standard output, or an error with all that was said. */
export async function mustBuild(
  daemon: Pick<TestDaemon, "docker">,
  files: Files,
  args: readonly string[] = [],
): Promise<string> {
  using context = new ContextDirectory(files);
  const result = await dockerBuild(daemon, context.path, args);
  if (result.code !== 0) throw new Error(`the build failed: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** What a build that must fail says. */
export async function failedBuild(
  daemon: Pick<TestDaemon, "docker">,
  files: Files,
  args: readonly string[] = [],
): Promise<Result> {
  using context = new ContextDirectory(files);
  const result = await dockerBuild(daemon, context.path, args);
  if (result.code === 0) throw new Error(`the build did not fail: ${result.stdout}`);
  return result;
}

/** A POST without docker; resolves with the whole answer. */
export function post(daemon: Pick<TestDaemon, "socket">, path: string, body?: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/x-tar" };
    const sent = request({ socketPath: daemon.socket, method: "POST", path, headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve(Buffer.concat(chunks).toString());
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
