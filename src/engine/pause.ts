import { conflict } from "../lib/errors.ts";
import { freeze, thaw as thawGroup } from "../runtime/cgroup/freeze.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { watchHealth } from "./health/health.ts";

/** `docker pause`: the freezer stops every process of the container where it is. */
export function pauseContainer(context: EngineContext, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (container.status === "paused") throw conflict(`Container ${container.id} is already paused`);
    if (container.status === "restarting") {
      throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
    }
    if (container.status !== "running") throw conflict(`Container ${container.id} is not running`);
    await freeze(context.cgroups, container.record.cgroupPath);
    container.record.state.status = "paused";
    container.health?.stop();
    context.table.save(container);
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

/** Lets a paused container run on. */
export function thaw(context: EngineContext, container: Container): void {
  thawGroup(context.cgroups, container.record.cgroupPath);
  container.record.state.status = "running";
  watchHealth(context, container);
  context.table.save(container);
}
