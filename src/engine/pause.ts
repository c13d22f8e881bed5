import { conflict } from "../lib/errors.ts";
import { freeze, thaw as thawGroup } from "../runtime/cgroup/freeze.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { watchHealth } from "./health/health.ts";

/** `docker pause`: the freezer stops every process of the container where it is. */
export function pauseContainer(
  context: EngineContext,
  container: Container,
  { toCommit = false } = {},
): Promise<void> {
  const { state } = container.record;
  return container.lock.run(async () => {
    if (container.status === "paused") throw conflict(`Container ${container.id} is already paused`);
    if (container.status === "restarting") {
      throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
    }
    if (container.status !== "running") throw conflict(`Container ${container.id} is not running`);
    // Written down first: should the daemon end now, its next start knows whether to finish this or to undo it.
    state.status = "paused";
    if (toCommit) state.pausedToCommit = true;
    else delete state.pausedToCommit;
    context.table.save(container);
    try {
      await freeze(context.cgroups, container.record.cgroupPath);
    } catch (error) {
      state.status = "running";
      delete state.pausedToCommit;
      context.table.save(container);
      throw error;
    }
    container.health?.stop();
    containerEvent(context, container, "pause");
  });
}

export function unpauseContainer(context: EngineContext, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (container.status !== "paused") throw conflict(`Container ${container.id} is not paused`);
    thaw(context, container);
    containerEvent(context, container, "unpause");
  });
}

/** Lets a container go on that was paused to be committed, unless somebody else did, or it has ended. */
export function resumeCommitted(context: EngineContext, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (container.status !== "paused" || !container.record.state.pausedToCommit) return;
    thaw(context, container);
    containerEvent(context, container, "unpause");
  });
}

/** A new daemon has found a paused container: the last one may have ended before all stood still. */
export async function adoptPause(context: EngineContext, container: Container): Promise<void> {
  try {
    if (container.record.state.pausedToCommit) await resumeCommitted(context, container);
    else await freeze(context.cgroups, container.record.cgroupPath);
  } catch (error) {
    context.log.warn("could not restore a container's pause", {
      container: container.id,
      error: String(error),
    });
  }
}

/** Lets a paused container run on. */
export function thaw(context: EngineContext, container: Container): void {
  thawGroup(context.cgroups, container.record.cgroupPath);
  container.record.state.status = "running";
  delete container.record.state.pausedToCommit;
  watchHealth(context, container);
  context.table.save(container);
}
