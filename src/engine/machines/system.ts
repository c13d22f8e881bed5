import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpioArchive } from "../../hypervisor/cpio.ts";
import { makeInitrd } from "../../hypervisor/initrd.ts";
import { findGuestKernel, type GuestKernel } from "../../hypervisor/kernel.ts";
import { nativeFile } from "../../lib/own-file.ts";
import { insideMessages, loopback } from "../../network/links.ts";
import { type GuestSystem, planBytes, planSystem } from "../../runtime/guest/system.ts";
import type { EngineContext } from "../context.ts";
import { networkFiles, writeNetworkFiles } from "../network/files.ts";
import type { Machine } from "./record.ts";

/** Drivers that a system can expect: its own kernel modules do not fit this kernel. */
const modules = [
  ...["virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_balloon", "virtio_rng"],
  // The power button, and who is to hear of it.
  ...["button", "evdev"],
  ...["pvpanic_pci", "autofs4"],
];

/** The number of the first network device in a guest; the loopback is 1. */
const firstLink = 2;

/** Makes the initial ram disk of a machine that boots an image, in its own file; answers with the kernel. */
export function writeSystemInitrd(context: EngineContext, machine: Machine, file: string): GuestKernel {
  const kernel = findGuestKernel(context.guestKernel);
  const cache = join(context.state.paths.root, "boot");
  const base = makeInitrd({ kernel, init: nativeFile("berth-launcher"), modules, cache });
  const plan = planBytes(planSystem(describe(context, machine)));
  const own = cpioArchive([{ kind: "file", path: "system", mode: 0o400, content: plan }]);
  // The kernel takes several archives one after the other.
  writeFileSync(file, Buffer.concat([readFileSync(base), own]), { mode: 0o600 });
  return kernel;
}

function describe(context: EngineContext, machine: Machine): GuestSystem {
  const { name, state } = machine.record;
  const endpoints = state.network?.endpoints ?? [];
  const messages = endpoints.flatMap((endpoint, at) => {
    const network = context.networks.find(endpoint.networkId);
    const isGateway = endpoint.id === state.network?.gateway;
    return network ? insideMessages(network, endpoint, firstLink + at, isGateway) : [];
  });
  return {
    device: "/dev/vda",
    hostname: name,
    links: endpoints.map((_, at) => `eth${at}`),
    messages: [loopback, ...messages],
    files: [
      { path: "/etc/hostname", content: `${name}\n` },
      ...(endpoints.length > 0 ? resolver(context, machine) : []),
    ],
  };
}

function resolver(context: EngineContext, machine: Machine): GuestSystem["files"] {
  writeNetworkFiles(context, machine);
  const content = readFileSync(networkFiles(context, machine.id).resolvConf, "utf8");
  return [{ path: "/etc/resolv.conf", content }];
}
