import type { DatabaseSync } from "node:sqlite";
import { BerthError, conflict, invalid, notFound } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { timestamp } from "../lib/time.ts";
import { AddressAllocator } from "./allocator.ts";
import { configureDefaultBridge, type DefaultBridgeOptions, defaultBridgeOptions } from "./default-bridge.ts";
import { type HostRoute, hostRoutes } from "./host-routes.ts";
import { checkSubnets, type SubnetRequest, toSubnet } from "./ipam.ts";
import { macFor, normalizeMac } from "./mac.ts";
import { bridgeName, checkOptions } from "./options.ts";
import { checkParentOptions, checkParentUse, sharesLink } from "./parents.ts";
import { type AddressPool, defaultPools, freeSubnet, uniqueLocalSubnet } from "./pools.ts";
import { overlap, parseCidr, type Range } from "./subnet.ts";
import { NetworkTable } from "./table.ts";
import type { DriverName, Endpoint, EndpointWish, NetworkRecord } from "./types.ts";

/** What a client wants of a new network. */
export interface NetworkRequest {
  name: string;
  driver?: string;
  internal?: boolean;
  attachable?: boolean;
  ipv4?: boolean;
  ipv6?: boolean;
  ipamDriver?: string;
  ipamOptions?: Record<string, string>;
  subnets?: SubnetRequest[];
  options?: Record<string, string>;
  labels?: Record<string, string>;
}

export interface NetworkStoreOptions {
  /** Sets one data root's links and rules apart from another's; empty for the default one. */
  tag: string;
  pools?: readonly AddressPool[];
}

const DRIVERS: readonly string[] = ["bridge", "host", "null", "macvlan", "ipvlan"];
const PREDEFINED = ["bridge", "host", "none"];
export const isPredefined = ({ name }: Pick<NetworkRecord, "name">): boolean => PREDEFINED.includes(name);

/** Networks and the addresses given away in them. Makes nothing on the machine. */
export class NetworkStore {
  readonly tag: string;
  readonly #table: NetworkTable;
  readonly #pools: readonly AddressPool[];
  /** By network and address family. */
  readonly #allocators = new Map<string, AddressAllocator>();
  /** Those that are being removed: nothing may begin in them any more. */
  readonly #leaving = new Set<string>();
  /** There is no default network: what would be in it has the loopback alone. */
  #withoutDefault = false;

  constructor(db: DatabaseSync, { tag, pools = defaultPools }: NetworkStoreOptions) {
    this.tag = tag;
    this.#pools = pools;
    this.#table = new NetworkTable(db);
    for (const [name, driver] of [
      ["bridge", "bridge"],
      ["host", "host"],
      ["none", "null"],
    ] as const)
      if (!this.#table.find(name)) this.#table.save(this.#predefined(name, driver));
  }

  all(): NetworkRecord[] {
    return this.#table.all().filter((network) => this.#exists(network));
  }

  find(ref: string): NetworkRecord | undefined {
    const found = this.#table.find(ref);
    return found && this.#exists(found) ? found : undefined;
  }

  get(ref: string): NetworkRecord {
    const found = this.#table.get(ref);
    if (!this.#exists(found)) throw notFound(`network ${ref} not found`);
    return found;
  }

  /** Whether a network is the default one, of which the daemon was told that there is none. */
  isSwitchedOff(ref: string): boolean {
    return this.#withoutDefault && this.#table.find(ref)?.name === "bridge";
  }

  #exists({ id, name }: NetworkRecord): boolean {
    return !this.#leaving.has(id) && !(this.#withoutDefault && name === "bridge");
  }

  /** Takes a network away: nobody finds it from now on, and it is forgotten when `task` has undone what there is of it. */
  async remove(network: NetworkRecord, task: () => Promise<void>): Promise<void> {
    this.#leaving.add(network.id);
    try {
      await task();
      this.delete(network);
    } finally {
      this.#leaving.delete(network.id);
    }
  }

  /** How the names of containers' links on the host begin. */
  get linkPrefix(): string {
    return this.tag === "" ? "bv-" : `bv${this.tag}`;
  }

  get #defaultBridge(): string {
    return this.tag === "" ? "berth0" : `berth-${this.tag}`;
  }

  #predefined(name: string, driver: DriverName): NetworkRecord {
    const bridge = this.#defaultBridge;
    return {
      id: newId(),
      name,
      created: timestamp(),
      driver,
      internal: false,
      attachable: false,
      ipv4: true,
      ipv6: false,
      subnets: [],
      options: driver === "bridge" ? defaultBridgeOptions({}, bridge) : {},
      ipamOptions: null,
      labels: {},
      bridge: driver === "bridge" ? bridge : "",
    };
  }

  /** Checks the request and keeps a network. Throws dockerd's texts. */
  create(request: NetworkRequest): NetworkRecord {
    const record = this.#toRecord(request);
    this.#table.save(record);
    return record;
  }

  /** Writes a network as it now is. */
  save(network: NetworkRecord): void {
    this.#table.save(network);
  }

  #toRecord(request: NetworkRequest): NetworkRecord {
    const { name, driver = "bridge", subnets = [], options = {} } = request;
    this.#checkName(name);
    if (!DRIVERS.includes(driver)) throw notFound(`could not find plugin: plugin "${driver}" not found`);
    if (driver === "host" || driver === "null") {
      throw new BerthError("FORBIDDEN", `only one instance of "${driver}" network is allowed`);
    }
    if (!["", "default"].includes(request.ipamDriver ?? "")) {
      throw invalid(`invalid ipam driver: "${request.ipamDriver}"`);
    }
    checkOptions(options);
    checkParentOptions(driver, options);
    checkParentUse(driver, options, this.#table.all());
    const given = subnets.filter(({ Subnet }) => Subnet);
    checkSubnets(given);
    const id = newId();
    const ipv4 = request.ipv4 ?? true;
    const ipv6 = request.ipv6 ?? false;
    if (!ipv4 && !ipv6) throw invalid("IPv4 or IPv6 must be enabled");
    const bridge = driver === "bridge" ? this.#bridgeFor(id, options) : "";
    return {
      id,
      name,
      created: timestamp(),
      driver: driver as DriverName,
      // Without a link of the host there is no way out.
      internal:
        (request.internal ?? false) || (sharesLink({ driver: driver as DriverName }) && !options.parent),
      attachable: request.attachable ?? false,
      ipv4,
      ipv6,
      subnets: this.#chooseSubnets({ id, driver, bridge }, given, { ipv4, ipv6 }),
      options,
      ipamOptions: request.ipamOptions ?? null,
      labels: request.labels ?? {},
      bridge,
    };
  }

  #checkName(name: string): void {
    if (name.trim() === "") throw invalid("invalid network name: name is empty");
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
      throw invalid(
        `invalid network name: ${name}: only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed in a network name`,
      );
    }
    if (PREDEFINED.includes(name) || name === "default") {
      throw new BerthError("FORBIDDEN", `operation is not permitted on predefined ${name} network`);
    }
    if (this.#table.all().some((other) => other.name === name)) {
      throw conflict(`network with name ${name} already exists`);
    }
  }

  #bridgeFor(id: string, options: Record<string, string>): string {
    const wanted = bridgeName(options);
    const holder = this.#table.all().find(({ bridge }) => wanted !== "" && bridge === wanted);
    if (holder) {
      throw new BerthError(
        "FORBIDDEN",
        `cannot create network ${id} (${wanted}): conflicts with network ${holder.id} (${holder.bridge}): networks have same bridge name`,
      );
    }
    return wanted || (this.tag === "" ? `br-${id.slice(0, 12)}` : `br-${this.tag}${id.slice(0, 8)}`);
  }

  #chooseSubnets(
    { id, driver, bridge }: { id: string; driver: string; bridge: string },
    given: readonly SubnetRequest[],
    families: { ipv4: boolean; ipv6: boolean },
  ) {
    const chosen: SubnetRequest[] = [];
    const taken = this.#takenRanges();
    for (const request of given) {
      const range = parseCidr(request.Subnet ?? "");
      if (!(range.version === 4 ? families.ipv4 : families.ipv6)) continue;
      if (chosen.some(({ Subnet = "" }) => parseCidr(Subnet).version === range.version)) {
        throw invalid(
          driver === "bridge"
            ? "bridge driver doesn't support multiple subnets"
            : `a network has one IPv${range.version} subnet; ${request.Subnet} is a second`,
        );
      }
      // Who shares a link of the host is in its network most often, as is who uses a bridge that is there.
      const others = driver === "bridge" ? hostRoutes().filter(({ link }) => link !== bridge) : [];
      this.#refuseOverlap(range, taken, others);
      chosen.push(request);
    }
    const has = (version: 4 | 6) => chosen.some(({ Subnet = "" }) => parseCidr(Subnet).version === version);
    if (families.ipv4 && !has(4)) chosen.unshift({ Subnet: this.#freeSubnet(taken, 4) });
    if (families.ipv6 && !has(6)) {
      const pooled = this.#pools.some(({ base }) => base.includes(":"));
      chosen.push({ Subnet: pooled ? this.#freeSubnet(taken, 6) : uniqueLocalSubnet(id) });
    }
    return chosen.map(toSubnet);
  }

  #refuseOverlap(range: Range, taken: readonly Range[], routes: readonly HostRoute[]): void {
    if (taken.some((other) => overlap(other, range))) {
      throw new BerthError(
        "FORBIDDEN",
        "invalid pool request: Pool overlaps with other one on this address space",
      );
    }
    // A part of a larger route may be asked for; what the host reaches otherwise may not be covered.
    const covered = routes.find((route) => overlap(route.range, range) && route.range.prefix >= range.prefix);
    if (covered) {
      throw new BerthError(
        "FORBIDDEN",
        `invalid pool request: Pool overlaps with a route of the host by ${covered.link}`,
      );
    }
  }

  #takenRanges(): Range[] {
    return this.#table.all().flatMap(({ subnets }) => subnets.map(({ subnet }) => parseCidr(subnet)));
  }

  /** Several data roots begin their search at different places, so that they seldom want the same one. */
  #freeSubnet(taken: readonly Range[], version: 4 | 6): string {
    const start = this.tag === "" ? 0 : Number.parseInt(this.tag, 16) / 0x1_0000;
    const own = this.#pools.filter(({ base }) => base.includes(":") === (version === 6));
    // Pools of the other family alone leave Docker's for this one.
    return freeSubnet(own.length > 0 ? own : defaultPools, taken, start);
  }

  /**
   * Makes the default network as the daemon was told. Addresses that are `used` in it stay where they are: false
   * when it then is not what was asked for. Throws INVALID_PARAMETER.
   */
  configureDefault(wanted: DefaultBridgeOptions, used: boolean): boolean {
    const network = this.#table.get("bridge");
    this.#withoutDefault = wanted.bridge === "none" && !used;
    if (wanted.bridge === "none") return !used;
    const bridge = wanted.bridge ?? this.#defaultBridge;
    const foreign = wanted.bridge !== undefined && wanted.bridge !== this.#defaultBridge;
    const done = configureDefaultBridge(network, { ...wanted, bridge, foreign }, used);
    for (const version of [4, 6]) this.#allocators.delete(`${network.id}/${version}`);
    this.#table.save(network);
    return done;
  }

  /** Gives the default bridge a subnet that is free now; others keep theirs. */
  chooseDefaultSubnet(network: NetworkRecord): void {
    const others = network.subnets.filter(({ subnet }) => subnet.includes(":"));
    network.subnets = others;
    this.#allocators.delete(`${network.id}/4`);
    network.subnets = [toSubnet({ Subnet: this.#freeSubnet(this.#takenRanges(), 4) }), ...others];
    this.#table.save(network);
  }

  delete(network: NetworkRecord): void {
    this.#table.delete(network);
    this.#allocators.delete(`${network.id}/4`);
    this.#allocators.delete(`${network.id}/6`);
  }

  #allocator(network: NetworkRecord, version: 4 | 6): AddressAllocator | undefined {
    const key = `${network.id}/${version}`;
    const existing = this.#allocators.get(key);
    if (existing) return existing;
    const subnet = network.subnets.find((candidate) => candidate.subnet.includes(":") === (version === 6));
    if (!subnet) return undefined;
    const made = new AddressAllocator(subnet);
    this.#allocators.set(key, made);
    return made;
  }

  /** A new place in a network, its addresses taken. Throws dockerd's texts; then nothing is taken. */
  takeEndpoint(network: NetworkRecord, wish: EndpointWish, position: number): Endpoint {
    const taken: [AddressAllocator, string][] = [];
    const take = (version: 4 | 6, wanted: string | undefined): string => {
      const allocator = this.#allocator(network, version);
      if (!allocator) {
        if (wanted) throw invalid(`no configured subnet contains IP address ${wanted}`);
        return "";
      }
      if (wanted) allocator.claim(wanted);
      const address = wanted || allocator.take();
      taken.push([allocator, address]);
      return address;
    };
    try {
      const ipv4 = take(4, wish.ipv4);
      const ipv6 = take(6, wish.ipv6);
      const id = newId();
      const mac = network.driver === "ipvlan" ? "" : wish.mac ? normalizeMac(wish.mac) : macFor(ipv4 || ipv6);
      const link = network.driver === "bridge" ? `${this.linkPrefix}${id.slice(0, 7)}` : "";
      const linkLocal = wish.linkLocal?.length ? { linkLocal: wish.linkLocal } : {};
      const { name = `eth${position}`, sysctls } = wish;
      return {
        ...{ id, networkId: network.id, mac, ipv4, ipv6, ...linkLocal, link, position },
        ...(name === `eth${position}` ? {} : { name }),
        ...(sysctls ? { sysctls } : {}),
      };
    } catch (error) {
      for (const [allocator, address] of taken) allocator.release(address);
      throw error;
    }
  }

  /** Takes again what a container that was found running has. */
  adoptEndpoint(network: NetworkRecord, { ipv4, ipv6 }: Endpoint): void {
    if (ipv4) this.#allocator(network, 4)?.adopt(ipv4);
    if (ipv6) this.#allocator(network, 6)?.adopt(ipv6);
  }

  releaseEndpoint({ networkId, ipv4, ipv6 }: Endpoint): void {
    const network = this.#table.find(networkId);
    if (!network) return;
    if (ipv4) this.#allocator(network, 4)?.release(ipv4);
    if (ipv6) this.#allocator(network, 6)?.release(ipv6);
  }
}
