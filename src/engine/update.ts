import type { ContainerUpdateRequest, ContainerUpdateResponse, HostConfig } from "@docker/node-sdk";
import { BerthError, conflict, system } from "../lib/errors.ts";
import { resourcesOf } from "../runtime/cgroup/resources.ts";
import { updateCgroup } from "../runtime/cgroup/update.ts";
import { type ResourceOptions, validateResources } from "../runtime/cgroup/validate.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { checkRestartPolicy } from "./host-config.ts";
import { checkIsolation } from "./isolation/isolation.ts";
import { hostResources } from "./isolation/specs.ts";

/**
 * `docker update`: new limits and restart policy, in the kernel at once where the container runs.
 * Nothing is changed when the kernel refuses. Throws dockerd's texts.
 */
export function updateContainer(
  context: EngineContext,
  container: Container,
  request: ContainerUpdateRequest,
): Promise<ContainerUpdateResponse> {
  const wish: HostConfig = { ...request };
  // Both 0 and any negative number say "no limit".
  if (typeof wish.PidsLimit === "number" && wish.PidsLimit <= 0) wish.PidsLimit = 0;
  checkRestartPolicy(wish);
  const Warnings = validateResources(wish, context.cgroups.support, { update: true });
  return container.lock.run(async () => {
    try {
      await applyUpdate(context, container, wish);
    } catch (error) {
      throw cannotUpdate(container, error);
    }
    containerEvent(context, container, "update");
    return { Warnings };
  });
}

async function applyUpdate(context: EngineContext, container: Container, wish: HostConfig): Promise<void> {
  const { record, status } = container;
  if (status === "removing" || status === "dead") {
    throw conflict('container is marked for removal and cannot be "update"');
  }
  const before = record.hostConfig;
  const after = merge(before, wish);
  checkIsolation(after);
  if (container.running) await change(context, container, before, after);
  record.hostConfig = after;
  try {
    context.table.save(container);
  } catch (error) {
    record.hostConfig = before;
    if (container.running) await change(context, container, after, before);
    throw error;
  }
}

async function change(
  context: EngineContext,
  container: Container,
  before: HostConfig,
  after: HostConfig,
): Promise<void> {
  const { cgroupPath, state } = container.record;
  let [from, to] = [resourcesOf(before), resourcesOf(after)];
  if (state.machine) {
    // The group is the machine's; what is in the machine is changed there.
    const machine = await context.machines.change(container, to, after);
    [from, to] = [hostResources(from, machine, false), hostResources(to, machine, false)];
  }
  try {
    updateCgroup(context.cgroups, cgroupPath, from, to);
  } catch (error) {
    try {
      updateCgroup(context.cgroups, cgroupPath, to, from);
    } catch (undoing) {
      context.log.warn("could not take back limits that were refused in part", {
        container: container.id,
        error: String(undoing),
      });
    }
    throw error;
  }
}

/** Docker's rules of what a change may touch: what is zero or absent stays as it was. */
export function merge(current: HostConfig, wish: HostConfig): HostConfig {
  checkConflicts(current, wish);
  const changed: ResourceOptions = {};
  const given: (keyof ResourceOptions)[] = [
    "BlkioWeight",
    "CpuShares",
    "NanoCpus",
    "CpuPeriod",
    "CpuQuota",
    "CpusetCpus",
    "CpusetMems",
    "Memory",
    "MemorySwap",
    "MemoryReservation",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
  ];
  for (const key of given)
    if (wish[key as keyof HostConfig]) Object.assign(changed, { [key]: wish[key as keyof HostConfig] });
  if (typeof wish.PidsLimit === "number") changed.PidsLimit = wish.PidsLimit;
  const policy = wish.RestartPolicy?.Name ? { RestartPolicy: wish.RestartPolicy } : {};
  return { ...current, ...changed, ...policy };
}

function checkConflicts(current: HostConfig, wish: HostConfig): void {
  const refuse = (what: string, because: string): never => {
    throw conflict(`Conflicting options: ${what} cannot be updated as ${because} has already been set`);
  };
  const set = (value: number | undefined): boolean => (value ?? 0) > 0;
  if (set(wish.NanoCpus) && set(current.CpuPeriod)) refuse("Nano CPUs", "CPU Period");
  if (set(wish.NanoCpus) && set(current.CpuQuota)) refuse("Nano CPUs", "CPU Quota");
  if (set(wish.CpuPeriod) && set(current.NanoCpus)) refuse("CPU Period", "NanoCPUs");
  if (set(wish.CpuQuota) && set(current.NanoCpus)) refuse("CPU Quota", "NanoCPUs");
  if (wish.Memory && wish.Memory > (current.MemorySwap ?? 0) && !wish.MemorySwap) {
    throw conflict(
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    );
  }
  if (current.AutoRemove && wish.RestartPolicy?.Name && wish.RestartPolicy.Name !== "no") {
    throw conflict("Restart policy cannot be updated because AutoRemove is enabled for the container");
  }
}

function cannotUpdate(container: Container, error: unknown): BerthError {
  const message = `Cannot update container ${container.id}: ${error instanceof Error ? error.message : String(error)}`;
  return error instanceof BerthError
    ? new BerthError(error.code, message, { cause: error })
    : system(message, error);
}
