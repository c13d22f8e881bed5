import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { system } from "../../lib/errors.ts";
import { getLinks, NETLINK_ROUTE, parseLink } from "../../network/netlink/route.ts";
import type { GuestRuntime } from "../../runtime/guest/runtime.ts";
import { Plan } from "../../runtime/plan/plan.ts";

/** Netlink messages: a header, then the payload. */
const header = 16;
/** How often a guest is asked for links that its drivers have not made yet. */
const attempts = 200;
const pauseMs = 10;

/** Sets a guest's clock, which stood still or was guessed. */
export function clock(): Plan {
  const now = Date.now();
  return new Plan()
    .group("clock")
    .add("host", "clock_settime", [Math.floor(now / 1000), (now % 1000) * 1_000_000], "the host's time");
}

/** Bytes of the host's randomness for a guest. */
const entropy = 256;
const driverWaitMs = 5000;

/**
 * What a guest needs that goes on from a template: the time, randomness that the template's others have not got,
 * and the devices that were put into its slots.
 */
export function awaken(): Plan {
  return clock()
    .group("template")
    .add("host", "add_entropy", [randomBytes(entropy)], "else all from the template would draw the same")
    .add("host", "write_file", [null, "/sys/bus/pci/rescan", "1"], "its slots are taken now")
    .add("host", "await_path", ["/sys/bus/virtio/drivers/virtiofs/virtio2", driverWaitMs], "its files");
}

/** The numbers of a guest's links, in the order of their hardware addresses. */
export async function linkIndices(runtime: GuestRuntime, macs: readonly string[]): Promise<number[]> {
  const plan = new Plan()
    .group("network")
    .add("host", "netlink", [NETLINK_ROUTE, null, -1, getLinks()], "the guest's links");
  for (let attempt = 0; attempt < attempts; attempt++) {
    const links = (await runtime.run(plan)).map((message) => parseLink(message.subarray(header)));
    const found = macs.map((mac) =>
      links.find((link) => link.mac.toString("hex") === mac.replaceAll(":", "")),
    );
    if (found.every((link) => link !== undefined)) return found.map((link) => link.index);
    await sleep(pauseMs);
  }
  throw system("the virtual machine has no network device");
}
