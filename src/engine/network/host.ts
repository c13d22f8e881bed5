import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { notFound, system } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { Mutex } from "../../lib/mutex.ts";
import { allowForwarding, bridgeAddresses, isBridge, linkIndex, newBridge } from "../../network/bridge.ts";
import { lacksSubnet } from "../../network/default-bridge.ts";
import { hostRoutes } from "../../network/host-routes.ts";
import { tapMessages } from "../../network/links.ts";
import {
  hasIpv6,
  type Loopback6,
  loopback6,
  loopback6Routes,
  newLoopback6,
  removeLoopback6,
} from "../../network/loopback6.ts";
import { elementBatches, NETLINK_NETFILTER, type SetElement } from "../../network/netlink/nftables.ts";
import { deleteLink, NETLINK_ROUTE, setLinkUp } from "../../network/netlink/route.ts";
import { networkOptions } from "../../network/options.ts";
import { newParent, parentLink, parentRefused, sharesLink } from "../../network/parents.ts";
import { bridgeElements, type RuleElement } from "../../network/rules/elements.ts";
import { nft, removeTables, userRules } from "../../network/rules/nft.ts";
import { renderRules } from "../../network/rules/ruleset.ts";
import type { NetworkStore } from "../../network/store.ts";
import { overlap, parseCidr } from "../../network/subnet.ts";
import type { Endpoint, NetworkRecord } from "../../network/types.ts";
import { LaunchError } from "../../runtime/launch-error.ts";
import { anyErrno, Plan } from "../../runtime/plan/plan.ts";
import { planDirectPorts } from "../../runtime/spec/network.ts";
import type { Runtime } from "../../runtime/types.ts";
import { DirectPorts } from "./direct-ports.ts";
import { FastPaths } from "./fast-paths.ts";
import { hasNames, type NameDirectory } from "./names.ts";

export interface NetworkHostOptions {
  store: NetworkStore;
  runtime: Runtime;
  execRoot: string;
  log: Logger;
  /** The rules' elements for all containers that have endpoints now. */
  elements(): RuleElement[];
  names: NameDirectory;
  /** Where the v2 tree of control groups is mounted; undefined without one. */
  groups: string | undefined;
  /** Whether the kernel is told to forward packets. */
  forwarding: boolean;
}

/** The default bridge gives way when another link came to the same addresses at the same time. */
const ATTEMPTS = 5;
const EEXIST = 17;

/** What networks are on the machine: bridges, and one table of rules. Made at first need. */
export class NetworkHost {
  /** The table's name, in both families. */
  readonly table: string;
  /** How the host's ::1 reaches published ports. */
  readonly loopback: Loopback6;
  readonly fastPaths: FastPaths;
  readonly directPorts: DirectPorts;
  readonly #options: NetworkHostOptions;
  readonly #lock = new Mutex();
  readonly #marker: string;
  /** Networks whose bridge is there and known to the rules. */
  readonly #ready = new Map<string, NetworkRecord>();
  /** Of those the ones whose rules are there, too. */
  readonly #ruled = new Set<string>();
  #loaded = false;

  constructor(options: NetworkHostOptions) {
    this.#options = options;
    const { tag } = options.store;
    this.table = tag === "" ? "berth" : `berth_${tag}`;
    this.loopback = loopback6(tag);
    this.fastPaths = new FastPaths(options.runtime, options.log);
    this.directPorts = new DirectPorts(options);
    this.#marker = join(options.execRoot, "network-rules");
  }

  /**
   * The index of the link that endpoints of the network are put on. Makes what is missing; quick when
   * everything is there. Throws SYSTEM when the bridge cannot be made.
   */
  async ensure(network: NetworkRecord): Promise<number> {
    if (network.driver !== "bridge") return this.#parent(network);
    const index = this.#ruled.has(network.id) ? linkIndex(network.bridge) : undefined;
    return index ?? this.#lock.run(() => this.#make(network));
  }

  /** A parent that is missing can be made when it is the network's own, or a VLAN of another link. */
  async #parent(network: NetworkRecord): Promise<number> {
    const { store } = this.#options;
    const name = parentLink(network, store.tag);
    const present = linkIndex(name);
    if (present !== undefined) return present;
    const message = newParent(network, store.tag);
    try {
      await this.#route([message]);
    } catch (error) {
      throw error instanceof LaunchError ? parentRefused(network, error.errno, error) : error;
    }
    if (!network.ownsParent) {
      network.ownsParent = true;
      store.save(network);
    }
    return linkIndex(name) ?? 0;
  }

  async #removeParent(network: NetworkRecord): Promise<void> {
    const name = parentLink(network, this.#options.store.tag);
    if (network.ownsParent && linkIndex(name) !== undefined) await this.#route([deleteLink(name)], anyErrno);
  }

  async #make(network: NetworkRecord): Promise<number> {
    // It may have been removed by the one that had the lock before.
    if (!this.#options.store.find(network.id)) throw notFound(`network ${network.name} not found`);
    const index = await this.#makeBridge(network);
    allowForwarding(network, this.#options.forwarding);
    if (network.ipv6) await this.#makeLoopback();
    await this.#options.names.serve(network);
    await this.fastPaths.make(network, index);
    this.#ready.set(network.id, network);
    if (!this.#loaded) await this.#load();
    else await this.change("add", this.#bridgeElements(network));
    this.#ruled.add(network.id);
    return index;
  }

  async #makeBridge(network: NetworkRecord): Promise<number> {
    const present = linkIndex(network.bridge);
    if (present !== undefined) {
      if (!isBridge(network.bridge)) throw system(`existing interface ${network.bridge} is not a bridge`);
      await this.#route([setLinkUp(present), ...bridgeAddresses(network, present)], anyErrno);
      return present;
    }
    for (let attempt = 1; ; attempt++) {
      const chooses = network.name === "bridge" && !network.fixedSubnets;
      if (chooses && (lacksSubnet(network) || isTaken(network)))
        this.#options.store.chooseDefaultSubnet(network);
      await this.#route([newBridge(network)]);
      const index = linkIndex(network.bridge);
      if (index === undefined) throw system(`the bridge ${network.bridge} vanished`);
      await this.#route(bridgeAddresses(network, index));
      if (!chooses || attempt === ATTEMPTS || !isTaken(network)) return index;
      await this.#route([deleteLink(network.bridge)]);
    }
  }

  /** The links that lead from ::1 to containers, made with the first network that has IPv6. */
  async #makeLoopback(): Promise<void> {
    if (!hasIpv6()) return;
    try {
      if (linkIndex(this.loopback.entry) === undefined) await this.#route([newLoopback6(this.loopback)]);
      await this.#route(loopback6Routes(this.loopback), EEXIST);
    } catch (error) {
      // Everything but ::1 works without.
      this.#options.log.warn("published ports cannot be reached by ::1", { error: String(error) });
    }
  }

  async #removeLoopback(): Promise<void> {
    if ([...this.#ready.values()].some(({ ipv6 }) => ipv6)) return;
    if (linkIndex(this.loopback.entry) !== undefined)
      await this.#route([removeLoopback6(this.loopback)], anyErrno);
  }

  /**
   * Makes anew what somebody took away: bridges and their addresses, containers' links on them, switches of
   * the kernel, the rules. `endpoints` are those of each network, by its id.
   */
  repair(endpoints: ReadonlyMap<string, readonly Endpoint[]>): Promise<void> {
    return this.#lock.run(async () => {
      for (const network of this.#ready.values()) {
        const index = await this.#makeBridge(network);
        allowForwarding(network, this.#options.forwarding);
        if (network.ipv6) await this.#makeLoopback();
        const present = endpoints.get(network.id) ?? [];
        await this.plug(network, index, present);
        await this.fastPaths.make(network, index);
        await this.fastPaths.adopt(network, present);
      }
      await this.#load();
    });
  }

  /** Puts the host's ends of links back on a bridge; those that are gone are left out. */
  async plug(network: NetworkRecord, bridge: number, endpoints: readonly Endpoint[]): Promise<void> {
    const messages = endpoints.flatMap((endpoint) => tapMessages(network, endpoint, bridge));
    if (messages.length > 0)
      await this.#route(
        messages.map(({ message }) => message),
        anyErrno,
      );
  }

  async #load(): Promise<void> {
    const { store } = this.#options;
    writeFileSync(this.#marker, "");
    const before = this.#elements();
    await nft(
      ["-f", "-"],
      renderRules(this.table, store.linkPrefix, this.loopback, before, await userRules(this.table)),
    );
    this.#loaded = true;
    // Containers came and went meanwhile, and their changes may have been before ours.
    const after = this.#elements();
    await this.change("add", after.filter(missingIn(before)));
    await this.change("remove", before.filter(missingIn(after)));
    await this.directPorts.renew();
  }

  #elements(): RuleElement[] {
    const bridges = [...this.#ready.values()].flatMap((network) => this.#bridgeElements(network));
    return [...bridges, ...this.#options.elements()];
  }

  #bridgeElements(network: NetworkRecord): RuleElement[] {
    const { masquerade, modes, source } = networkOptions(network);
    const own = network.subnets.find(({ subnet }) => !subnet.includes(":"));
    return bridgeElements({
      link: network.bridge,
      internal: network.internal,
      masquerade,
      modes,
      source,
      resolver: (hasNames(network) && own?.gateway) || "",
    });
  }

  /** The messages that add elements to the rules; for launch plans. */
  additions(elements: readonly SetElement[]): Buffer[] {
    return elementBatches(this.table, "add", elements);
  }

  /** Changes elements now. What is to be removed may be gone already. */
  async change(verb: "add" | "remove", elements: readonly RuleElement[]): Promise<void> {
    await this.#change(verb, elements, new Plan().group("network"));
  }

  /** Removes elements, and endpoints from the fast paths of their networks. */
  async release(elements: readonly RuleElement[], endpoints: readonly Endpoint[]): Promise<void> {
    const plan = new Plan().group("network");
    this.fastPaths.planRemoval(plan, endpoints);
    await this.#change("remove", elements, plan);
  }

  /** Runs a plan, of which nothing fails, and changes elements with it. */
  async #change(verb: "add" | "remove", elements: readonly RuleElement[], plan: Plan): Promise<void> {
    if (elements.length === 0 && plan.steps.host.length === 0) return;
    const direct = this.directPorts.setup(verb, elements);
    planDirectPorts(plan, "host", direct);
    try {
      await this.#send(elementBatches(this.table, verb, elements), 0, plan);
    } catch (error) {
      if (verb === "add" || !(error instanceof LaunchError)) throw error;
      // A transaction fails as a whole when one of its elements is missing.
      const single = elements.flatMap((element) => elementBatches(this.table, verb, [element]));
      await this.#send(single, anyErrno, new Plan().group("network"));
    }
    if (verb === "remove") await this.directPorts.settle(elements, direct);
  }

  async #send(batches: readonly Buffer[], tolerate: number, plan: Plan): Promise<void> {
    for (const batch of batches)
      plan.add("host", "netlink", [NETLINK_NETFILTER, null, -1, batch], "", tolerate);
    await this.#options.runtime.run(plan);
  }

  async #route(messages: readonly Buffer[], tolerate = 0): Promise<void> {
    const plan = new Plan().group("network");
    for (const message of messages)
      plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, message], "", tolerate);
    await this.#options.runtime.run(plan);
  }

  /** Takes away a link that may be gone already. */
  async removeLink(name: string): Promise<void> {
    if (name !== "") await this.#route([deleteLink(name)], anyErrno);
  }

  /** Takes a network's bridge away; nothing is on it. */
  async remove(network: NetworkRecord): Promise<void> {
    if (sharesLink(network)) await this.#removeParent(network);
    if (network.driver !== "bridge") return;
    await this.#lock.run(async () => {
      this.#options.names.unserve(network);
      this.fastPaths.forget(network);
      this.#ruled.delete(network.id);
      if (this.#ready.delete(network.id) && this.#loaded)
        await this.change("remove", this.#bridgeElements(network));
      if (linkIndex(network.bridge) !== undefined && !network.foreignBridge)
        await this.#route([deleteLink(network.bridge)], anyErrno);
      if (network.ipv6) await this.#removeLoopback();
    });
  }

  /** Links of containers that `keep` does not name: left by a crash. */
  async removeStrayLinks(keep: ReadonlySet<string>): Promise<void> {
    const { linkPrefix } = this.#options.store;
    const strays = readdirSync("/sys/class/net").filter(
      (name) => name.startsWith(linkPrefix) && !keep.has(name),
    );
    // A dying namespace may be taking it away at this moment.
    if (strays.length > 0) await this.#route(strays.map(deleteLink), anyErrno);
  }

  /** Removes the bridges of networks without endpoints, and the rules with the last one. */
  async removeUnused(used: ReadonlySet<string>): Promise<void> {
    for (const network of this.#options.store.all()) if (!used.has(network.id)) await this.remove(network);
    await this.#lock.run(() => this.#removeLoopback());
    if (this.#ready.size > 0 || !existsSync(this.#marker)) return;
    await removeTables(this.table);
    this.#loaded = false;
    rmSync(this.#marker, { force: true });
  }
}

const missingIn = (others: readonly RuleElement[]): ((element: RuleElement) => boolean) => {
  const name = ({ family, set, text }: RuleElement): string => `${family} ${set} ${text}`;
  const known = new Set(others.map(name));
  return (element) => !known.has(name(element));
};

/** Whether the host reaches a network's addresses by another link. */
function isTaken({ subnets, bridge }: NetworkRecord): boolean {
  const routes = hostRoutes().filter(({ link }) => link !== bridge);
  return subnets.some(({ subnet }) => routes.some(({ range }) => overlap(range, parseCidr(subnet))));
}
