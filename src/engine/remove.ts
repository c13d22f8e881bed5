import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { BerthError, conflict } from "../lib/errors.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory } from "./create.ts";
import { discardTree } from "./discard-tree.ts";
import { closeDisk, diskLimit } from "./disk.ts";
import { removeAnonymous } from "./mounts/volume-use.ts";
import { networkFiles } from "./network/files.ts";
import { isDiskFull } from "./record-fact.ts";
import { killAndWait } from "./stop.ts";

export interface RemoveOptions {
  force?: boolean;
  volumes?: boolean;
  link?: boolean;
  /** By `--rm`: nobody waits for an answer. */
  unasked?: boolean;
}

/** `docker rm`: refuses a running container unless forced, then kills it first. */
export async function remove(
  context: EngineContext,
  container: Container,
  options: RemoveOptions,
): Promise<void> {
  if (options.link) throw conflict("Conflict, cannot remove the default link name of the container");
  if (container.status === "removing" || container.doomed) {
    throw conflict(`removal of container ${container.id} is already in progress`);
  }
  if (container.running || container.status === "restarting") {
    if (!options.force) throw conflict(refusal(container));
    container.doomed = true;
  }
  try {
    if (container.doomed) await killAndWait(context, container);
    await container.lock.run(() => removeContainer(context, container, options));
  } catch (error) {
    // With --rm the engine may have been faster.
    if (!(error instanceof BerthError && error.code === "NOT_FOUND" && options.force)) throw error;
  } finally {
    container.doomed = false;
  }
}

function refusal(container: Container): string {
  const advice =
    container.status === "paused"
      ? "container is paused and must be unpaused first"
      : container.status === "restarting"
        ? "container is restarting: stop the container before removing or force remove"
        : "container is running: stop the container before removing or force remove";
  return `cannot remove container "/${container.record.name}": ${advice}`;
}

/** For callers that hold the lock of a container without a process. */
export async function removeContainer(
  context: EngineContext,
  container: Container,
  options: RemoveOptions,
): Promise<void> {
  if (context.table.find(container.id) !== container) return;
  if (container.running) throw conflict(refusal(container));
  container.stopped();
  await context.ahead.giveUp(container.id);
  container.record.state.status = "removing";
  // The row goes first: what a crash then leaves is a directory nobody owns, which the next start removes.
  const forget = (): void =>
    context.state.transaction(() => {
      context.table.delete(container);
      context.images.release(container.id);
    });
  const directory = containerDirectory(context, container.id);
  // With --rm clients wait for nothing else, and are told first. A row that a crash leaves is one of a container
  // that has ended, which the next start removes.
  const early = options.unasked === true && container.record.mounts.length === 0;
  if (early) {
    tell(context, container);
    // Nobody who was told can ask for anything before that.
    await setImmediate();
  }
  try {
    forget();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    // Its own files make room to write down that it goes.
    await rm(join(directory, "rw", "upper"), { recursive: true, force: true });
    forget();
  }
  if (options.volumes) await removeAnonymous(context, container.record.mounts);
  if (!early) tell(context, container);
  // Nobody needs to wait until its files are gone: first those are answered who waited for the removal.
  await (options.unasked ? context.afterwards.pause() : setImmediate());
  if (diskLimit(container.record.hostConfig) !== null) await closeDisk(directory);
  discardTree(context, directory);
  rmSync(dirname(networkFiles(context, container.id).hosts), { recursive: true, force: true });
}

function tell(context: EngineContext, container: Container): void {
  containerEvent(context, container, "destroy");
  container.notifyRemoved();
}
