import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { find } from "./command.ts";

/** Fixed, because an engine must be told before its start that this one needs no encryption. */
const port = 15_000;
export const registryHost = `127.0.0.1:${port}`;

/** The distribution project's registry on loopback; null where it is not installed. */
export async function startRegistry(directory: string): Promise<{ stop(): void } | null> {
  const program = find("docker-registry");
  if (program === null) return null;
  const file = join(directory, "registry.yml");
  writeFileSync(
    file,
    `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${join(directory, "registry")}}}
http: {addr: "${registryHost}"}
`,
  );
  const child: ChildProcess = spawn(program, ["serve", file], { stdio: "ignore" });
  for (let tries = 0; tries < 500; tries++) {
    if (await listens()) return { stop: () => void child.kill("SIGKILL") };
    await pause(20);
  }
  child.kill("SIGKILL");
  throw new Error("the registry does not listen");
}

function listens(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
