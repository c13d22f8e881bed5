import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { ownFile } from "../../lib/own-file.ts";
import { CliError, errorMessage } from "../errors.ts";

const dataRoot = "/var/lib/berth";
const patience = 15_000;

/**
 * Starts the daemon in the background and waits until it listens on `host` (a `unix://` one).
 * Resolves to true; throws `CliError` with the end of its log when it does not come up.
 */
export async function startDaemon(host: string): Promise<boolean> {
  if (process.getuid?.() !== 0)
    throw new CliError(
      `Cannot connect to the daemon at ${host}: it is not running, and only root can start it. Try: sudo berth daemon`,
    );
  const logPath = join(dataRoot, "daemon.log");
  const log = openLog(logPath);
  const program = ownFile("bin/berth");
  const child = spawn(program, ["daemon", "-H", host], {
    detached: true,
    cwd: "/",
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  let ended: string | undefined;
  child.once("error", (error) => {
    ended = error.message;
  });
  child.once("exit", (code, signal) => {
    ended = `it exited with ${signal ?? `status ${code}`}`;
  });
  child.unref();

  const path = host.slice("unix://".length);
  for (const until = Date.now() + patience; Date.now() < until; ) {
    if (await listens(path)) return true;
    if (ended !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // Another client may have started one at the same time; then this one's gave way to it.
  if (await listens(path)) return true;
  throw new CliError(
    `Cannot start the daemon: ${ended ?? `it does not listen on ${host} after ${patience / 1000} s`}. The end of ${logPath}:\n${lastLines(logPath, 10)}`,
  );
}

function openLog(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw new CliError(`Cannot start the daemon: its log cannot be written: ${errorMessage(error)}`);
  }
}

function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function lastLines(path: string, count: number): string {
  return readFileSync(path, "utf8").trimEnd().split("\n").slice(-count).join("\n");
}
