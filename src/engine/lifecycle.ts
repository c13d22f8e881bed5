import { BerthError, conflict, notModified } from "../lib/errors.ts";
import { timestamp, ZERO_TIME } from "../lib/time.ts";
import { oomKillCount } from "../runtime/cgroup/oom.ts";
import { killAll } from "../runtime/cgroup/processes.ts";
import { removeCgroup } from "../runtime/cgroup/remove.ts";
import { LaunchError } from "../runtime/launch-error.ts";
import type { ExitStatus, NetworkSetup, Shim } from "../runtime/types.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory } from "./create.ts";
import { diskLimit, openDisk } from "./disk.ts";
import { resetHealth, watchHealth } from "./health/health.ts";
import { isIsolated } from "./isolation/isolation.ts";
import { settleEnd } from "./machines/end.ts";
import { isMachine } from "./machines/record.ts";
import { startMachine } from "./machines/start.ts";
import { acquireMounts, releaseMounts } from "./mounts/volume-use.ts";
import {
  acquireNetworks,
  announceNetworks,
  guestLinks,
  releaseNetworks,
  startFailure,
} from "./network/attach.ts";
import { rewriteLinkedFiles, rewriteNeighbourFiles } from "./network/files.ts";
import { checkLinks } from "./network/links.ts";
import { recordFact } from "./record-fact.ts";
import { removeContainer } from "./remove.ts";
import { scheduleRestart, shouldRestart } from "./restart.ts";

/** Starts a container that is not running; throws NOT_MODIFIED when it runs. */
export function startContainer(context: EngineContext, container: Container): Promise<void> {
  return container.lock.run(async () => {
    refuseStart(container);
    container.record.state.restartCount = 0;
    // Not at automatic restarts: a stop that meets one must hold for the run that is just beginning.
    container.record.state.stoppedByUser = false;
    container.restartDelayMs = 0;
    try {
      await startLocked(context, container);
    } catch (error) {
      if (container.record.hostConfig.AutoRemove) await autoRemove(context, container);
      throw error;
    }
  });
}

/** For callers that hold the container's lock. */
export async function startLocked(context: EngineContext, container: Container): Promise<void> {
  const { state } = container.record;
  refuseStart(container);
  container.stopped();
  state.idRange = null;
  let shim: Shim;
  try {
    await context.ahead.settled(container.id);
    const limit = diskLimit(container.record.hostConfig);
    if (limit !== null) await openDisk(containerDirectory(context, container.id), limit);
    checkLinks(context, container);
    if (container.record.mounts.length > 0) await acquireMounts(context, container);
    const network = await acquireNetworks(context, container);
    shim = await startProcess(context, container, network);
  } catch (error) {
    const failure = startFailure(context, container, error);
    await startFailed(context, container, failure);
    throw failure;
  }
  state.status = "running";
  state.pid = shim.pid;
  state.exitCode = 0;
  state.error = "";
  state.oomKilled = false;
  state.startedAt = timestamp();
  state.finishedAt = ZERO_TIME;
  resetHealth(container);
  follow(context, container, shim);
  context.table.save(container);
  rewriteLinkedFiles(context, container);
  rewriteNeighbourFiles(context, container);
  announceNetworks(context, container, "connect");
  containerEvent(context, container, "start");
}

/** The container's process, on this kernel or in a virtual machine of its own. */
async function startProcess(
  context: EngineContext,
  container: Container,
  network: NetworkSetup,
): Promise<Shim> {
  if (isMachine(container)) return startMachine(context, container, network);
  const launch = await context.ahead.launchFor(container, network);
  if (!isIsolated(container.record.hostConfig)) {
    const shim = await context.runtime.start(launch);
    context.ahead.started(container, launch);
    return shim;
  }
  return context.machines.start(container, launch, (indices) => guestLinks(context, container, indices));
}

/** Watches a process that was started or found running. */
export function follow(context: EngineContext, container: Container, shim: Shim): void {
  container.shim = shim;
  for (const pending of container.pendingAttaches) pending.started(shim);
  container.pendingAttaches.clear();
  shim.onOom(() => {
    containerEvent(context, container, "oom");
  });
  watchHealth(context, container);
  shim.exited.then(
    (status) => context.afterwards.keep(exited(context, container, shim, status)),
    (error: unknown) => shimLost(context, container, shim, error),
  );
}

function refuseStart(container: Container): void {
  if (container.doomed) throw conflict("container is marked for removal and cannot be started");
  switch (container.status) {
    case "running":
      throw notModified(`container ${container.id} is already running`);
    case "paused":
      throw conflict("cannot start a paused container, try unpause instead");
    case "removing":
    case "dead":
      throw conflict("container is marked for removal and cannot be started");
    default:
  }
}

async function startFailed(context: EngineContext, container: Container, error: unknown): Promise<void> {
  const { state } = container.record;
  state.exitCode = startExitCode(error);
  state.error = error instanceof Error ? error.message : String(error);
  state.pid = 0;
  await context.ahead.giveUp(container.id);
  // A start that took over what was begun, and then failed before it used it, leaves a process that waits.
  await context.runtime.giveUp(container.id);
  try {
    await cleanUp(context, container);
  } catch (problem) {
    // The user is to read why the start failed. What is left goes with the next start of the daemon.
    context.log.error("could not clean up after a failed start", {
      container: container.id,
      error: String(problem),
    });
  }
  for (const pending of container.pendingAttaches) pending.failed(error);
  container.pendingAttaches.clear();
  // Who waits for the next exit waits on, as in dockerd: nothing has run. Only a series of runs ends here.
  const wasRestarting = state.status === "restarting";
  if (wasRestarting) state.status = "exited";
  context.table.save(container);
  if (wasRestarting) container.notifyExit();
}

/** Docker's convention: 127 not found, 126 not executable, 128 for what else keeps a process from starting. */
function startExitCode(error: unknown): number {
  const code = error instanceof LaunchError ? error.exitCode : 0;
  return code === 126 || code === 127 ? code : 128;
}

/** The shim was killed, so nobody will reap: what is left of the container ends with it. */
async function shimLost(
  context: EngineContext,
  container: Container,
  shim: Shim,
  error: unknown,
): Promise<void> {
  context.log.warn("a container's shim died; its processes are ended", {
    container: container.id,
    error: error instanceof Error ? error.message : String(error),
  });
  await killAll(context.cgroups, container.record.cgroupPath);
  await exited(context, container, shim, { exitCode: 137, signal: 9, oomKilled: false, at: new Date() });
}

function exited(context: EngineContext, container: Container, shim: Shim, status: ExitStatus): Promise<void> {
  return container.lock.run(async () => {
    if (container.shim !== shim) return;
    const { state } = container.record;
    const startedMs = Date.parse(state.startedAt);
    // Where the first process was none of a namespace, its end is not yet that of the others.
    if (container.record.hostConfig.PidMode) await killAll(context.cgroups, container.record.cgroupPath);
    state.oomKilled =
      status.oomKilled ||
      (status.exitCode !== 0 && oomKillCount(context.cgroups, container.record.cgroupPath) > 0);
    state.exitCode = status.exitCode;
    state.error = container.machineFailure;
    state.pid = 0;
    state.finishedAt = timestamp();
    container.shim = null;
    container.stopped();
    const again = isMachine(container) && (await settleEnd(context, container, status));
    const restart = again
      ? { delayMs: 0 }
      : shouldRestart(container, status.exitCode, status.at.getTime() - startedMs);
    state.status = restart ? "restarting" : "exited";
    // Decided before anybody hears of the exit: a restart then lets its hold go.
    const removes = !restart && container.record.hostConfig.AutoRemove && !container.held;
    if (!removes) recordFact(context, container);
    containerEvent(context, container, "die", {
      exitCode: String(status.exitCode),
      execDuration: String(Math.max(0, Math.floor((status.at.getTime() - startedMs) / 1000))),
    });
    announceNetworks(context, container, "disconnect");
    container.notifyExit();
    // Nobody needs to wait for the clearing up but the next start or removal, which wait for the lock.
    if (removes) {
      await release(context, container);
      await autoRemove(context, container);
    }
    await cleanUp(context, container);
    await shim.dispose();
    if (restart) scheduleRestart(context, container, restart);
  });
}

async function autoRemove(context: EngineContext, container: Container): Promise<void> {
  try {
    await removeContainer(context, container, { volumes: true, unasked: true });
  } catch (error) {
    if (error instanceof BerthError && error.code === "NOT_FOUND") return;
    context.log.error("automatic removal failed", { container: container.id, error: String(error) });
  }
}

/** Gives back what a stopped container does not need. Runs twice without harm. */
export async function cleanUp(context: EngineContext, container: Container): Promise<void> {
  await removeCgroup(context.cgroups, container.record.cgroupPath);
  await release(context, container);
}

/** What others may be waiting for. */
async function release(context: EngineContext, container: Container): Promise<void> {
  const { state } = container.record;
  const endpoints = state.network?.endpoints ?? [];
  await releaseNetworks(context, container);
  rewriteNeighbourFiles(context, container, endpoints);
  if (container.record.mounts.length > 0) await releaseMounts(context, container);
  if (state.idRange !== null) context.idRanges.release(state.idRange);
  state.idRange = null;
  state.machine = null;
}
