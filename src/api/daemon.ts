import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { BerthError, conflict } from "../lib/errors.ts";
import { collectAll, collectYoung } from "../lib/garbage.ts";
import { Idle } from "../lib/idle.ts";
import { createLogger, type Logger } from "../lib/log.ts";
import { readStatus } from "../lib/proc.ts";
import { berthVersion } from "../lib/version.ts";
import { type DaemonOptions, parseDaemonOptions, usage } from "./daemon-options.ts";
import { claimAddress, describeAddress, listen } from "./listen.ts";
import type { ApiServer } from "./server.ts";
import type { Services } from "./services.ts";

/** An engine that can be closed: what the daemon puts HTTP before. */
export interface ClosableServices extends Services {
  close(): Promise<void>;
}

/** After so long without a request the garbage of those before is collected, so that the next need not wait for it. */
const quiet = 30;
/** After so long the daemon gives back all memory that it does not need. Milliseconds, both. */
const rest = 10_000;

export type OpenEngine = (options: {
  dataRoot: string;
  execRoot: string;
  registries: string;
  isolation: "default" | "hyperv";
  guestKernel: string | undefined;
  guestTemplates: boolean;
  addressPools: string[];
  defaultBridge: DaemonOptions["defaultBridge"];
  networks: DaemonOptions["networks"];
  buildCache: DaemonOptions["buildCache"];
  experimental: boolean;
  cdiDirectories: readonly string[] | undefined;
  log: Logger;
}) => Promise<ClosableServices>;

export interface Daemon {
  /** Stops serving and closes the engine; containers go on running. May be called twice. */
  stop(): Promise<void>;
}

/** Opens an engine and serves it. Everything that was begun is undone when a later part fails. */
export async function startDaemon(options: DaemonOptions, open: OpenEngine, log: Logger): Promise<Daemon> {
  const undo: (() => Promise<void> | void)[] = [];
  const unwind = async (): Promise<void> => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  };
  try {
    for (const address of options.addresses) await claimAddress(address);
    if (options.pidFile !== undefined) undo.push(writePidFile(options.pidFile));
    const engine = await open({ ...options, log });
    undo.push(() => engine.close());
    const idles = [new Idle(collectYoung, quiet), new Idle(collectAll, rest)];
    undo.push(() => {
      for (const idle of idles) idle.close();
    });
    const onRequest = (): void => {
      for (const idle of idles) idle.happens();
    };
    const servers: ApiServer[] = [];
    undo.push(async () => {
      await Promise.all(servers.map((server) => server.close()));
    });
    for (const address of options.addresses) {
      servers.push(await listen(address, { services: engine, log, release: berthVersion, onRequest }));
      log.info("listening", { address: describeAddress(address) });
    }
  } catch (error) {
    await unwind();
    throw error;
  }
  let stopping: Promise<void> | undefined;
  return {
    stop: () => {
      stopping ??= unwind();
      return stopping;
    },
  };
}

/** Writes the process id; refuses while the process that is written there lives. Returns the undo. */
function writePidFile(path: string): () => void {
  const other = readPid(path);
  if (other !== null && other !== process.pid && isAlive(other)) {
    throw conflict(
      `failed to start daemon, ensure it is not running or delete ${path}: process with PID ${other} is still running`,
    );
  }
  writeFileSync(path, `${process.pid}\n`, { mode: 0o644 });
  return () => rmSync(path, { force: true });
}

function readPid(path: string): number | null {
  try {
    return Number.parseInt(readFileSync(path, "utf8"), 10) || null;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    // One that ended is there until its parent asks for it, and an init in a container may never do so.
    return !readStatus(pid).get("State")?.startsWith("Z");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return false;
    throw error;
  }
}

/**
 * `berth daemon`: runs until SIGTERM or SIGINT and then exits the process with 0, leaving containers
 * running. Resolves only when there is nothing to run, to the exit status: 0 for help, 125 for wrong
 * flags, 1 for what else prevented the start; why is on stderr.
 */
export async function main(argv: string[]): Promise<number> {
  let log = createLogger();
  try {
    const options = parseDaemonOptions(argv);
    if (!options) {
      process.stdout.write(usage);
      return 0;
    }
    log = createLogger({ level: options.logLevel, format: options.logFormat });
    watchProcess(log);
    const { openEngine } = await import("./open-engine.ts");
    const daemon = await startDaemon(options, openEngine, log);
    return await stopOnSignal(daemon, log);
  } catch (error) {
    // What the system or the engine refused needs no stack.
    const refusal = error instanceof BerthError || (error instanceof Error && "syscall" in error);
    if (refusal) process.stderr.write(`berth daemon: ${error.message}\n`);
    else log.error("failed to start", { error });
    return error instanceof BerthError && error.code === "INVALID_PARAMETER" ? 125 : 1;
  }
}

/** Never resolves: whatever is still open, the process ends here. */
function stopOnSignal(daemon: Daemon, log: Logger): Promise<never> {
  let asked = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) {
      log.warn("stopping at once", { signal });
      process.exit(1);
    }
    asked = true;
    log.info("stopping, containers go on running", { signal });
    daemon.stop().then(
      () => process.exit(0),
      (error) => {
        log.error("failed to stop in order", { error });
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return new Promise(() => {});
}

function watchProcess(log: Logger): void {
  // Who reads the log may end before the daemon does.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  // Node's own handler would open a debugger's port.
  process.on("SIGUSR1", () => log.debug("SIGUSR1 ignored"));
  process.on("SIGHUP", () => log.debug("SIGHUP ignored"));
  process.on("unhandledRejection", (error) => log.error("unhandled rejection", { error }));
  process.on("uncaughtException", (error) => {
    // The state in memory cannot be trusted any more; the next start finds the containers again.
    log.error("uncaught exception", { error });
    process.exit(1);
  });
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
