import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { find } from "./command.ts";

/** Fixed, because an engine must be told before its start that these need no encryption. */
export const registryHost = "127.0.0.1:15000";
/** The one that is pushed to and emptied. */
export const pushHost = "127.0.0.1:15001";

/** Where the registries at an address keep their files. */
export const registryFiles = (directory: string, host: string): string =>
  join(directory, `registry-${new URL(`http://${host}`).port}`);

/**
 * The distribution project's registry on the loopback of a process's network namespace; all of them serve
 * the same files below `directory`. Null where it is not installed.
 */
export async function startRegistry(
  directory: string,
  pid: number,
  host = registryHost,
): Promise<{ stop(): void } | null> {
  const program = find("docker-registry");
  if (program === null) return null;
  const { port } = new URL(`http://${host}`);
  const file = join(directory, `registry-${port}.yml`);
  writeFileSync(
    file,
    `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${registryFiles(directory, host)}}}
http: {addr: "${host}"}
`,
  );
  const namespace = ["--target", String(pid), "--net"];
  const serve = 'ip link set lo up && exec "$@"';
  const child = spawn("nsenter", [...namespace, "sh", "-c", serve, "sh", program, "serve", file], {
    stdio: "ignore",
  });
  const look = `require("node:net").connect(${port}, "127.0.0.1").on("error", () => process.exit(1)).on("connect", () => process.exit(0))`;
  for (let tries = 0; tries < 100; tries++) {
    const { status } = spawnSync("nsenter", [...namespace, process.execPath, "-e", look]);
    if (status === 0) return { stop: () => void child.kill("SIGKILL") };
    await pause(50);
  }
  child.kill("SIGKILL");
  throw new Error("the registry does not listen");
}
