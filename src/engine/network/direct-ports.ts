import { system } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import {
  type DirectEntry,
  KEY,
  MEMORY,
  MOST_ENTRIES,
  memoryType,
  TARGET,
} from "../../network/direct/entries.ts";
import { connectProgram, peerNameProgram } from "../../network/direct/program.ts";
import type { RuleElement } from "../../network/rules/elements.ts";
import { LaunchError } from "../../runtime/launch-error.ts";
import * as linux from "../../runtime/linux.ts";
import { Plan } from "../../runtime/plan/plan.ts";
import { planDirectPorts } from "../../runtime/spec/network.ts";
import type { DirectPortsSetup, Runtime } from "../../runtime/types.ts";

/** Numbers of bpf.h. */
const BPF_MAP_TYPE_HASH = 1;
const BPF_F_NO_PREALLOC = 1;
const NAME = "berth_direct";
/** Entries whose steps fit into one plan with room to spare. */
const BATCH = 1000;

export interface DirectPortsOptions {
  runtime: Runtime;
  log: Logger;
  /** Where the v2 tree of control groups is mounted; undefined without one. */
  groups: string | undefined;
  /** The rules' elements for all containers that have endpoints now. */
  elements(): readonly RuleElement[];
}

/**
 * Has connections from the host's loopback to published ports begin as connections to the container, which
 * spares their packets the translation of addresses. Programs at connect(2) do so. They hang on the root of the
 * control groups by descriptors of the launcher, so they are gone with it, and with the daemon; then the rules
 * do what they do for everything else. Made when there is first a port to lead to.
 */
export class DirectPorts {
  readonly #options: DirectPortsOptions;
  /** The id that the kernel gave the map. */
  #map: number | undefined;
  #making: Promise<void> | undefined;
  #possible = true;

  constructor(options: DirectPortsOptions) {
    this.#options = options;
  }

  /** What changes with elements that are about to be added or removed; undefined where rules alone lead. */
  setup(verb: "add" | "remove", elements: readonly RuleElement[]): DirectPortsSetup | undefined {
    const entries = entriesOf(elements);
    if (entries.length === 0) return undefined;
    if (this.#map === undefined && verb === "add" && !this.#making) void this.#make(() => this.#attach());
    return this.#map === undefined ? undefined : { map: this.#map, verb, entries };
  }

  /** Makes everything anew, if there are ports to lead to. */
  renew(): Promise<void> {
    this.#map = undefined;
    return this.#make(async () => {
      this.#map = undefined;
      if (entriesOf(this.#options.elements()).length > 0) await this.#attach();
    });
  }

  /**
   * After elements were removed, with what `setup` said: a map that was made meanwhile was filled while they were
   * still there.
   */
  async settle(elements: readonly RuleElement[], planned: DirectPortsSetup | undefined): Promise<void> {
    if (entriesOf(elements).length === 0) return;
    await this.#making;
    if (this.#map !== planned?.map) await this.#change("remove", elements);
  }

  /** One after the other. */
  #make(work: () => Promise<void>): Promise<void> {
    const made = (this.#making ?? Promise.resolve()).then(work).finally(() => {
      if (this.#making === made) this.#making = undefined;
    });
    this.#making = made;
    return made;
  }

  async #attach(): Promise<void> {
    const { runtime, log, groups } = this.#options;
    if (!this.#possible) return;
    try {
      if (groups === undefined) throw system("no v2 tree of control groups is mounted");
      const [cookie] = await runtime.run(new Plan().group("network").add("host", "netns_cookie", [], ""));
      const plan = attachment(groups, cookie?.readBigUInt64LE(0) ?? 0n);
      const [id] = await runtime.keep(plan, () => void this.renew());
      this.#map = id?.readUInt32LE(0);
      await this.#fill();
    } catch (error) {
      // What nobody keeps up to date does not stay attached. With a launcher that died nothing is.
      if (this.#map !== undefined) await runtime.keep(new Plan(), () => undefined).catch(() => undefined);
      this.#map = undefined;
      // Another launcher may do better than one that died; a kernel that refused a step will again.
      this.#possible = error instanceof LaunchError && !error.step;
      log.info("connections from the host to published ports are led by rules alone", {
        error: String(error),
      });
    }
  }

  async #fill(): Promise<void> {
    const before = this.#options.elements();
    await this.#change("add", before);
    // Containers came and went meanwhile, and their changes may have been before ours.
    const after = this.#options.elements();
    await this.#change("remove", before.filter(missingIn(after)));
    await this.#change("add", after.filter(missingIn(before)));
  }

  async #change(verb: "add" | "remove", elements: readonly RuleElement[]): Promise<void> {
    const entries = entriesOf(elements);
    for (let at = 0; at < entries.length && this.#map !== undefined; at += BATCH) {
      const plan = new Plan().group("network");
      const batch = entries.slice(at, at + BATCH);
      planDirectPorts(plan, "host", { map: this.#map, verb, entries: batch });
      await this.#options.runtime.run(plan);
    }
  }
}

const entriesOf = (elements: readonly RuleElement[]): DirectEntry[] =>
  elements.flatMap(({ direct }) => direct ?? []);

function missingIn(others: readonly RuleElement[]): (element: RuleElement) => boolean {
  const known = new Set(others.map(({ text }) => text));
  return ({ text }) => !known.has(text);
}

/** Makes the maps and attaches the programs; only what attaches them stays open. Answers with the map's id. */
function attachment(groups: string, cookie: bigint): Plan {
  const plan = new Plan().group("network");
  const [root, targets, memories] = [plan.slot("groups"), plan.slot("targets"), plan.slot("memories")];
  const sizes = [KEY.size, TARGET.size, MOST_ENTRIES, BPF_F_NO_PREALLOC] as const;
  plan.add("host", "openat", [root, null, groups, linux.O_RDONLY | linux.O_DIRECTORY, 0], "");
  plan.add("host", "bpf_map_create", [targets, NAME, BPF_MAP_TYPE_HASH, ...sizes], "");
  plan.add("host", "bpf_sk_storage", [memories, NAME, MEMORY.size, memoryType()], "");
  for (const [type, instructions] of [
    [linux.BPF_CGROUP_INET4_CONNECT, connectProgram(4, cookie)],
    [linux.BPF_CGROUP_INET6_CONNECT, connectProgram(6, cookie)],
    [linux.BPF_CGROUP_INET4_GETPEERNAME, peerNameProgram(4)],
    [linux.BPF_CGROUP_INET6_GETPEERNAME, peerNameProgram(6)],
  ] as const) {
    const program = plan.slot("program");
    const given = [
      NAME,
      linux.BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
      type,
      instructions,
      targets,
      memories,
    ] as const;
    plan.add("host", "bpf_prog_load", [program, ...given], "");
    plan.add("host", "bpf_link_create", [plan.slot("link"), program, root, type], "");
    plan.add("host", "close", [program], "");
  }
  plan.add("host", "bpf_obj_id", [targets], "");
  for (const slot of [root, targets, memories]) plan.add("host", "close", [slot], "");
  return plan;
}
