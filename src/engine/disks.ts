import type { EngineContext } from "./context.ts";
import { containerDirectory } from "./create.ts";
import { closeDisk, diskLimit, openDisk } from "./disk.ts";

/** Mounts the disks of all containers that have one: what a stopped container wrote can be looked at, too. */
export async function openDisks(context: EngineContext): Promise<void> {
  for (const { id, record } of context.table.all()) {
    const limit = diskLimit(record.hostConfig);
    if (limit === null) continue;
    try {
      await openDisk(containerDirectory(context, id), limit);
    } catch (error) {
      context.log.warn("could not mount a container's disk; its start will say so again", {
        container: id,
        error: String(error),
      });
    }
  }
}

/** Unmounts the disks of containers that do not run. */
export async function closeIdleDisks(context: EngineContext): Promise<void> {
  for (const { id, record, running } of context.table.all()) {
    if (!running && diskLimit(record.hostConfig) !== null) await closeDisk(containerDirectory(context, id));
  }
}
