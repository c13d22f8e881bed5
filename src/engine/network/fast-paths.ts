import { existsSync } from "node:fs";
import type { Logger } from "../../lib/log.ts";
import { linkIndex } from "../../network/bridge.ts";
import { ENTRY, fastPathEntries, nothing, PLACES, placesOf } from "../../network/fastpath/entries.ts";
import { fastPathProgram } from "../../network/fastpath/program.ts";
import { macBytes, macFor } from "../../network/mac.ts";
import { hostU32 } from "../../network/netlink/message.ts";
import { NETLINK_ROUTE } from "../../network/netlink/route.ts";
import { addClassifier, setFilter } from "../../network/netlink/traffic.ts";
import { networkOptions } from "../../network/options.ts";
import type { Endpoint, NetworkRecord } from "../../network/types.ts";
import { LaunchError } from "../../runtime/launch-error.ts";
import { kernelAtLeast } from "../../runtime/machine.ts";
import { anyErrno, Plan } from "../../runtime/plan/plan.ts";
import { BPF_MAP_GET_FD_BY_ID, planFastPath } from "../../runtime/spec/network.ts";
import type { FastPathSetup, Runtime } from "../../runtime/types.ts";

/** Numbers of bpf.h. */
const BPF_MAP_TYPE_ARRAY = 2;
const BPF_PROG_TYPE_SCHED_CLS = 3;
const EEXIST = 17;
const NAME = "berth_fastpath";
/** Endpoints whose steps fit into one plan with room to spare. */
const BATCH = 200;

/** The ids that the kernel gave a network's program and map, and whose endpoint has which place of the map. */
interface FastPath {
  program: number;
  map: number;
  holders: Map<number, string>;
}

/**
 * Spares packets between containers of one network, and between them and the host, the way over the bridge.
 * A program at the links does so, which lives as long as they; it needs no daemon. One that starts makes all
 * anew, so that programs and containers agree again.
 */
export class FastPaths {
  readonly #runtime: Runtime;
  readonly #log: Logger;
  readonly #paths = new Map<string, FastPath>();
  #possible = countsPackets();

  constructor(runtime: Runtime, log: Logger) {
    this.#runtime = runtime;
    this.#log = log;
  }

  /** Makes a network's program, kept by its bridge. Where the kernel has no such thing the bridge does without. */
  async make(network: NetworkRecord, bridge: number): Promise<void> {
    this.#paths.delete(network.id);
    const [first] = network.subnets;
    if (!this.#possible || !first || !wantsFastPath(network)) return;
    const plan = new Plan().group("network");
    const [map, program] = [plan.slot("map"), plan.slot("program")];
    plan.add("host", "bpf_map_create", [map, NAME, BPF_MAP_TYPE_ARRAY, 4, ENTRY.size, 2 * PLACES, 0], "");
    const instructions = fastPathProgram({ index: bridge, mac: macBytes(macFor(first.gateway)) });
    plan.add(
      "host",
      "bpf_prog_load",
      [program, NAME, BPF_PROG_TYPE_SCHED_CLS, 0, instructions, map, null],
      "",
    );
    plan.add("host", "bpf_obj_id", [map], "").add("host", "bpf_obj_id", [program], "");
    const filter = setFilter(bridge, "egress", NAME);
    plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, addClassifier(bridge)], "", EEXIST);
    plan.add("host", "netlink", [NETLINK_ROUTE, program, filter.descriptorAt, filter.message], "");
    try {
      const [mapId, programId] = (await this.#runtime.run(plan)).map((id) => id.readUInt32LE(0));
      if (mapId && programId)
        this.#paths.set(network.id, { program: programId, map: mapId, holders: new Map() });
    } catch (error) {
      if (!(error instanceof LaunchError)) throw error;
      this.#possible = false;
      this.#log.warn("packets between containers take the way over the bridge", { error: String(error) });
    }
  }

  forget(network: NetworkRecord): void {
    this.#paths.delete(network.id);
  }

  /** What puts links, by their index on the host, on the fast path of their network; undefined without one. */
  setup(networkId: string, links: readonly (readonly [Endpoint, number])[]): FastPathSetup | undefined {
    const path = this.#paths.get(networkId);
    if (!path || links.length === 0) return undefined;
    const { program, map } = path;
    return {
      program,
      map,
      links: links.map(([endpoint, index]) => ({
        name: endpoint.link,
        classifier: addClassifier(index),
        filter: setFilter(index, "ingress", NAME),
        entries: fastPathEntries(endpoint, index).map(({ place, value }) => ({ key: hostU32(place), value })),
      })),
    };
  }

  /** Remembers endpoints that are about to be put on the fast path. */
  hold(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      const path = this.#paths.get(endpoint.networkId);
      if (path) for (const place of placesOf(endpoint)) path.holders.set(place, endpoint.id);
    }
  }

  /** Puts links of containers that run already on the fast path of their network. */
  async adopt({ id }: NetworkRecord, endpoints: readonly Endpoint[]): Promise<void> {
    for (let at = 0; at < endpoints.length; at += BATCH) {
      const links = endpoints.slice(at, at + BATCH).flatMap((endpoint) => {
        const index = linkIndex(endpoint.link);
        return index === undefined || isTap(endpoint.link) ? [] : [[endpoint, index] as const];
      });
      const plan = new Plan().group("network");
      this.hold(links.map(([endpoint]) => endpoint));
      planFastPath(plan, "host", this.setup(id, links));
      if (plan.steps.host.length > 0) await this.#runtime.run(plan);
    }
  }

  /** The steps after which no packet is led to links of these endpoints any more. */
  planRemoval(plan: Plan, endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      const path = this.#paths.get(endpoint.networkId);
      const own = placesOf(endpoint).filter((place) => path?.holders.get(place) === endpoint.id);
      if (!path || own.length === 0) continue;
      const map = plan.slot("map");
      plan.add("host", "bpf_get_fd_by_id", [map, BPF_MAP_GET_FD_BY_ID, path.map], "", anyErrno);
      for (const place of own) {
        path.holders.delete(place);
        plan.add("host", "bpf_map_update", [map, hostU32(place), nothing], "", anyErrno);
      }
    }
  }
}

/** A link of a virtual machine, which has no other end in a namespace. */
const isTap = (link: string): boolean => existsSync(`/sys/class/net/${link}/tun_flags`);

/** Whether the kernel counts packets that arrive this way as received by the container (6.7). */
const countsPackets = (): boolean => kernelAtLeast(6, 7);

/** Whether packets between a network's containers may take the fast path. */
function wantsFastPath(network: NetworkRecord): boolean {
  const { icc, fastPath } = networkOptions(network);
  // A bridge of somebody else's may divide or filter what it carries.
  return network.driver === "bridge" && icc && fastPath && !network.foreignBridge;
}
