import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { timestamp } from "../lib/time.ts";
import { childGroups, killAll } from "../runtime/cgroup/processes.ts";
import { removeCgroup } from "../runtime/cgroup/remove.ts";
import type { Shim } from "../runtime/types.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { discardTree } from "./discard-tree.ts";
import { closeDisk } from "./disk.ts";
import { openDisks } from "./disks.ts";
import { isIsolated } from "./isolation/isolation.ts";
import { cleanUp, follow, startContainer } from "./lifecycle.ts";
import { adoptMachine } from "./machines/end.ts";
import { isMachine } from "./machines/record.ts";
import { adoptMounts } from "./mounts/volume-use.ts";
import { adoptNetworks, releaseNetworks } from "./network/attach.ts";
import { networkDirectory } from "./network/files.ts";
import { reconcileNetworks } from "./network/reconcile.ts";
import { adoptPause } from "./pause.ts";
import { isActive } from "./record.ts";
import { removeContainer } from "./remove.ts";
import { killAndWait } from "./stop.ts";

/**
 * Makes the world and the records agree after whatever ended the last daemon: running containers are
 * taken up again, exits nobody saw are recorded, what has no owner is removed.
 */
export async function reconcile(context: EngineContext): Promise<void> {
  const shims = await context.runtime.adopt();
  const byContainer = new Map<string, Shim>();
  for (const shim of shims) {
    if (context.table.hasId(shim.id)) byContainer.set(shim.id, shim);
    else await disown(context, shim);
  }
  for (const container of context.table.all()) {
    const shim = byContainer.get(container.id);
    if (!shim) await settle(context, container);
    else {
      adopt(context, container, shim);
      if (container.status === "paused") await adoptPause(context, container);
      if (isMachine(container)) await adoptMachine(context, container);
      // The build that waited for it ended with the daemon.
      if (container.record.step) endStep(context, container);
    }
  }
  await removeOrphans(context);
  await openDisks(context);
  await context.volumes.unmountIdle();
  await reconcileNetworks(context);
  for (const container of context.table.all()) await resume(context, container);
}

/** A shim of an exec, or of a container that was being removed: nobody can ask for it any more. */
async function disown(context: EngineContext, shim: Shim): Promise<void> {
  const forget = async (): Promise<void> => {
    await shim.dispose();
  };
  shim.exited.then(forget, forget).catch((error: unknown) => {
    context.log.warn("could not remove a shim's directory", { shim: shim.id, error: String(error) });
  });
}

function adopt(context: EngineContext, container: Container, shim: Shim): void {
  const { state } = container.record;
  if (!isActive(state.status)) {
    // Started just before the daemon died, or it could not write that down.
    state.status = "running";
    state.startedAt = timestamp();
  }
  state.pid = shim.pid;
  adoptMounts(context, container);
  adoptNetworks(context, container);
  if (state.idRange !== null) context.idRanges.claim(state.idRange);
  context.table.save(container);
  follow(
    context,
    container,
    isIsolated(container.record.hostConfig) ? context.machines.adopt(container, shim) : shim,
  );
}

/** It goes by itself when it has ended. */
function endStep(context: EngineContext, container: Container): void {
  killAndWait(context, container).catch((error: unknown) => {
    context.log.warn("could not end a step of a build", { container: container.id, error: String(error) });
  });
}

/** No shim: what was running is gone, with everything of the host (reboot) or by force. */
async function settle(context: EngineContext, container: Container): Promise<void> {
  const { state, cgroupPath } = container.record;
  if (!isActive(state.status)) {
    // Its start may have been cut off.
    await releaseNetworks(context, container);
    return;
  }
  await killAll(context.cgroups, cgroupPath);
  state.status = "exited";
  state.exitCode = 137;
  state.finishedAt = timestamp();
  state.pid = 0;
  await cleanUp(context, container);
  context.table.save(container);
}

/** Cgroups and directories below our own roots that no container explains. */
async function removeOrphans(context: EngineContext): Promise<void> {
  for (const name of childGroups(context.cgroups, context.cgroupParent)) {
    const container = context.table.find(name);
    if (container && container.id === name && container.running) continue;
    const path = join(context.cgroupParent, name);
    await killAll(context.cgroups, path);
    await removeCgroup(context.cgroups, path);
  }
  const { containers } = context.state.paths;
  for (const name of readdirSync(containers)) {
    if (context.table.hasId(name)) continue;
    await closeDisk(join(containers, name));
    discardTree(context, join(containers, name));
  }
  const network = networkDirectory(context);
  for (const name of existsSync(network) ? readdirSync(network) : []) {
    if (!context.table.hasId(name)) rmSync(join(network, name), { recursive: true, force: true });
  }
}

/** Restart policies hold over the daemon's own restart; --rm containers that ended meanwhile go. */
async function resume(context: EngineContext, container: Container): Promise<void> {
  const { state, hostConfig } = container.record;
  const policy = hostConfig.RestartPolicy?.Name;
  if (container.running) return;
  if (hostConfig.AutoRemove && (state.status === "exited" || container.record.step)) {
    await container.lock.run(() => removeContainer(context, container, { volumes: true }));
    return;
  }
  const wanted =
    state.status === "restarting" ||
    (state.status === "exited" &&
      (policy === "always" || (policy === "unless-stopped" && !state.stoppedByUser)));
  if (!wanted) return;
  state.status = "exited";
  try {
    await startContainer(context, container);
  } catch (error) {
    context.log.warn("could not start a container by its restart policy", {
      container: container.id,
      error: String(error),
    });
  }
}
