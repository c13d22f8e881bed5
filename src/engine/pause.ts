import { conflict } from "../lib/errors.ts";
import { freezeCgroup, thawCgroup } from "../runtime/cgroup/index.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";

/** `docker pause`: the freezer stops every process of the container where it is. */
export function pauseContainer(context: EngineContext, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (container.status === "paused") throw conflict(`Container ${container.id} is already paused`);
    if (container.status === "restarting") {
      throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
    }
    if (container.status !== "running") throw conflict(`Container ${container.id} is not running`);
    await freezeCgroup(container.record.cgroupPath);
    container.record.state.status = "paused";
    context.table.save(container);
    containerEvent(context, container, "pause");
  });
}

export function unpauseContainer(context: EngineContext, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (container.status !== "paused") throw conflict(`Container ${container.id} is not paused`);
    await thaw(context, container);
    containerEvent(context, container, "unpause");
  });
}

/** Lets a paused container run on. */
export async function thaw(context: EngineContext, container: Container): Promise<void> {
  await thawCgroup(container.record.cgroupPath);
  container.record.state.status = "running";
  context.table.save(container);
}
