import { O_RDONLY } from "../linux.ts";
import type { Slot } from "../plan/ops.ts";
import type { Plan } from "../plan/plan.ts";
import type { NetworkSetup } from "../types.ts";
import type { Context } from "./context.ts";

const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;

/** The links, addresses and routes of a network namespace that the container does not share. */
export function planNetwork({ plan, spec }: Context, setup: NetworkSetup | undefined): void {
  const own = spec.linux.namespaces.some(({ type, path }) => type === "network" && path === undefined);
  if (!own || !setup) return;
  plan.group("network");
  for (const { message, why } of setup.rules)
    plan.add("host", "netlink", [NETLINK_NETFILTER, null, -1, message], why);
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
  }
  for (const { message, why } of setup.inside)
    plan.add("child", "netlink", [NETLINK_ROUTE, null, -1, message], why);
}

/** Makes taps on the host and puts them where they belong; the slots of the descriptors that carry their packets. */
export function planTaps(plan: Plan, setup: NetworkSetup | undefined, names: readonly string[]): Slot[] {
  plan.group("network");
  for (const { message, why } of setup?.rules ?? [])
    plan.add("host", "netlink", [NETLINK_NETFILTER, null, -1, message], why);
  const slots = names.map((name) => {
    const slot = plan.slot(name);
    plan.add("host", "tap", [slot, name], "the machine's link; it goes with the machine");
    return slot;
  });
  for (const { message, why } of setup?.host ?? [])
    plan.add("host", "netlink", [NETLINK_ROUTE, null, -1, message], why);
  return slots;
}
