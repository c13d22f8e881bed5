import type { ContainerPruneResponse } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import { orNull } from "../../lib/or-null.ts";
import { parseTime } from "../../lib/parse-time.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { matchesLabel } from "../events.ts";
import { removeContainer } from "../remove.ts";
import { writableSize } from "../sizes.ts";
import type { Filters } from "../types.ts";

/** `docker container prune`: removes what does not run. */
export async function pruneContainers(
  context: EngineContext,
  filters: Filters,
): Promise<ContainerPruneResponse> {
  const test = compile(filters);
  const deleted: string[] = [];
  let space = 0;
  for (const container of context.table.containers()) {
    if (!["created", "exited", "dead"].includes(container.status) || !test(container)) continue;
    await container.lock.run(async () => {
      if (!["created", "exited", "dead"].includes(container.status)) return;
      const size = await writableSize(context, container);
      await removeContainer(context, container, { volumes: false });
      space += size;
      deleted.push(container.id);
    });
  }
  if (deleted.length > 0 || Object.keys(filters).length === 0) {
    context.events.publish("container", "prune", "", { reclaimed: String(space) });
  }
  return { ContainersDeleted: deleted.length > 0 ? deleted : orNull<string[]>(null), SpaceReclaimed: space };
}

function compile(filters: Filters): (container: Container) => boolean {
  for (const name of Object.keys(filters)) {
    if (!["label", "label!", "until"].includes(name)) throw invalid(`invalid filter '${name}'`);
  }
  if ((filters.until?.length ?? 0) > 1) throw invalid("more than one until filter specified");
  const until = filters.until?.[0];
  const limit = until === undefined ? Number.POSITIVE_INFINITY : parseTime(until).getTime();
  return ({ record }) => {
    const labels = record.config.Labels ?? {};
    return (
      (filters.label ?? []).every((value) => matchesLabel(labels, value)) &&
      !(filters["label!"] ?? []).some((value) => matchesLabel(labels, value)) &&
      Date.parse(record.created) < limit
    );
  };
}
