import { setTimeout as delay } from "node:timers/promises";
import type { ContainerStatsResponse } from "@docker/node-sdk";
import { orNull } from "../../lib/or-null.ts";
import { ZERO_TIME } from "../../lib/time.ts";
import { type CgroupStats, cgroupStats } from "../../runtime/cgroup/stats.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { isIsolated } from "../isolation/isolation.ts";
import { sharedWith } from "../spec/namespaces.ts";
import { readInterfaces, readTaps } from "./net-dev.ts";

const INTERVAL_MS = 1000;

const none = orNull<[]>(null);
const never = new Date(ZERO_TIME);

/** The stats without a process: zeros, and null where Docker has no entries. */
const nothing = {
  pids_stats: {},
  blkio_stats: {
    io_service_bytes_recursive: none,
    io_serviced_recursive: none,
    io_queue_recursive: none,
    io_service_time_recursive: none,
    io_wait_time_recursive: none,
    io_merged_recursive: none,
    io_time_recursive: none,
    sectors_recursive: none,
  },
  cpu_stats: {
    cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  },
  memory_stats: {},
} satisfies Partial<ContainerStatsResponse>;

/**
 * A container's use of resources, once a second until it is removed or the client goes. Without
 * `stream` one reading, whose `precpu_stats` are from a second before, or at once with `oneShot`.
 * A container that does not run reads as zeros.
 */
export async function* containerStats(
  context: EngineContext,
  container: Container,
  options: { stream?: boolean; oneShot?: boolean } = {},
  signal?: AbortSignal,
): AsyncGenerator<ContainerStatsResponse> {
  const { stream = true, oneShot = false } = options;
  const sampler = new Sampler(context, container);
  let reading = sampler.read();
  if (oneShot || (!stream && !container.running)) {
    yield reading;
    return;
  }
  if (stream) yield reading;
  while (await tick(signal)) {
    if (context.table.find(container.id) !== container) return;
    reading = sampler.read();
    yield reading;
    if (!stream) return;
  }
}

/** A second's pause; false when the client went. */
async function tick(signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await delay(INTERVAL_MS, undefined, { signal });
    return true;
  } catch (error) {
    if (signal?.aborted) return false;
    throw error;
  }
}

/** Readings of one container, each with the processor times of the one before. */
class Sampler {
  readonly #context: EngineContext;
  readonly #container: Container;
  #before: CgroupStats["cpu_stats"] = nothing.cpu_stats;
  #readBefore = never;

  constructor(context: EngineContext, container: Container) {
    this.#context = context;
    this.#container = container;
  }

  read(): ContainerStatsResponse {
    const { record } = this.#container;
    const running = this.#container.running;
    const stats = running ? cgroupStats(this.#context.cgroups, record.cgroupPath) : nothing;
    const read = running ? new Date() : never;
    const networks = running ? this.#networks() : null;
    const reading: ContainerStatsResponse = {
      name: `/${record.name}`,
      id: record.id,
      read,
      preread: this.#readBefore,
      num_procs: 0,
      storage_stats: {},
      ...stats,
      precpu_stats: this.#before,
      ...(networks ? { networks } : {}),
    };
    this.#before = stats.cpu_stats;
    this.#readBefore = read;
    return reading;
  }

  /** Null on the host's network and where there is none but the loopback. */
  #networks(): ContainerStatsResponse["networks"] | null {
    const { hostConfig, state } = this.#container.record;
    const shared = sharedWith(hostConfig.NetworkMode);
    const owner = shared === null ? this.#container : this.#context.table.find(shared);
    if (!owner || owner.record.hostConfig.NetworkMode === "host") return null;
    return isIsolated(owner.record.hostConfig)
      ? readTaps(owner.record.state.network?.endpoints ?? [])
      : readInterfaces(state.pid);
  }
}
