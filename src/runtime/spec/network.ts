import { O_RDONLY } from "../linux.ts";
import type { Slot } from "../plan/ops.ts";
import { anyErrno, type Phase, type Plan } from "../plan/plan.ts";
import type { DirectPortsSetup, FastPathSetup, NetworkSetup } from "../types.ts";
import type { Context } from "./context.ts";

const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const BPF_PROG_GET_FD_BY_ID = 13;
export const BPF_MAP_GET_FD_BY_ID = 14;

/** The links, addresses and routes of a network namespace that the container does not share. */
export function planNetwork({ plan, spec }: Context, setup: NetworkSetup | undefined): void {
  const own = spec.linux.namespaces.some(({ type, path }) => type === "network" && path === undefined);
  if (!own || !setup) return;
  plan.group("network");
  for (const { message, why } of setup.rules)
    plan.add("host", "netlink", [NETLINK_NETFILTER, null, -1, message], why);
  planDirectPorts(plan, "host", setup.directPorts);
  if (setup.host.length > 0) {
    const namespace = plan.slot("network-namespace");
    plan.add(
      "parent",
      "openat",
      [namespace, plan.process, "ns/net", O_RDONLY, 0],
      "where the container's links are born",
    );
    for (const { message, descriptorAt, why } of setup.host)
      plan.add(
        "parent",
        "netlink",
        [NETLINK_ROUTE, descriptorAt < 0 ? null : namespace, descriptorAt, message],
        why,
      );
    planCarriers(plan, "parent", setup.carriers);
    for (const fastPath of setup.fastPaths) planFastPath(plan, "parent", fastPath);
  }
  for (const { message, why } of setup.inside)
    plan.add("child", "netlink", [NETLINK_ROUTE, null, -1, message], why);
}

/** Links without IPv6 of their own; they carry it as before. Where the host has none there is nothing to write. */
export function planCarriers(plan: Plan, phase: Phase, names: readonly string[]): void {
  for (const name of names)
    plan.add(
      phase,
      "write_file",
      [null, `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "1"],
      "it has no addresses, it only carries",
      anyErrno,
    );
}

/**
 * Gives links their network's program, then tells it of them. Whatever fails leaves them to the bridge: the
 * program may be gone, with a bridge that somebody removed.
 */
export function planFastPath(plan: Plan, phase: Phase, setup: FastPathSetup | undefined): void {
  if (!setup) return;
  const [program, map] = [plan.slot("program"), plan.slot("map")];
  const open = "the network's way past its bridge";
  plan.add(phase, "bpf_get_fd_by_id", [program, BPF_PROG_GET_FD_BY_ID, setup.program], open, anyErrno);
  plan.add(phase, "bpf_get_fd_by_id", [map, BPF_MAP_GET_FD_BY_ID, setup.map], open, anyErrno);
  for (const { name, classifier, filter, entries } of setup.links) {
    plan.add(phase, "netlink", [NETLINK_ROUTE, null, -1, classifier], `what ${name} carries`, anyErrno);
    const { message, descriptorAt } = filter;
    plan.add(
      phase,
      "netlink",
      [NETLINK_ROUTE, program, descriptorAt, message],
      "is looked at by it",
      anyErrno,
    );
    for (const { key, value } of entries)
      plan.add(phase, "bpf_map_update", [map, key, value], `it leads to ${name}`, anyErrno);
  }
}

/** Changes which ports of containers connections begin at. Where that fails the rules lead there. */
export function planDirectPorts(plan: Plan, phase: Phase, setup: DirectPortsSetup | undefined): void {
  if (!setup) return;
  const map = plan.slot("map");
  const why = "the host's way to published ports";
  plan.add(phase, "bpf_get_fd_by_id", [map, BPF_MAP_GET_FD_BY_ID, setup.map], why, anyErrno);
  for (const { key, value } of setup.entries)
    if (setup.verb === "add") plan.add(phase, "bpf_map_update", [map, key, value], "leads to one", anyErrno);
    else plan.add(phase, "bpf_map_delete", [map, key], "leads to one no more", anyErrno);
}

/** Makes taps on the host and puts them where they belong; the slots of the descriptors that carry their packets. */
export function planTaps(plan: Plan, setup: NetworkSetup | undefined, names: readonly string[]): Slot[] {
  plan.group("network");
  for (const { message, why } of setup?.rules ?? [])
    plan.add("host", "netlink", [NETLINK_NETFILTER, null, -1, message], why);
  planDirectPorts(plan, "host", setup?.directPorts);
  const slots = names.map((name) => {
    const slot = plan.slot(name);
    plan.add("host", "tap", [slot, name], "the machine's link; it goes with the machine");
    return slot;
  });
  for (const { message, why } of setup?.host ?? [])
    plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, message], why);
  return slots;
}
