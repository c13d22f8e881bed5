import { Assembler } from "../../lib/bpf.ts";
import { readU16, readU32 } from "../netlink/message.ts";
import { ENTRY, ETHERTYPE, FIRST_PLACE, PLACES } from "./entries.ts";

/** Offsets in struct __sk_buff. */
const SKB = { vlanPresent: 20, ifindex: 40, data: 76, dataEnd: 80 } as const;
/** bpf-helpers(7). */
const HELPER = { mapLookup: 1, redirect: 23, changeType: 32, redirectPeer: 155 } as const;
const BPF_F_INGRESS = 1;
const PACKET_HOST = 0;
/** The packet goes on as if there were no program. */
const TC_ACT_UNSPEC = -1;

/** Offsets in a packet. */
const ETHERNET = { destination: 0, source: 6, type: 12 } as const;
/** Where the addresses are, how long they are, and where the IP header ends at least. */
const IP = {
  4: { source: 26, destination: 30, size: 4, end: 34 },
  6: { source: 22, destination: 38, size: 16, end: 54 },
} as const;
type Version = keyof typeof IP;

const [result, first, second, third] = [0, 1, 2, 3] as const;
const [context, data, end, link, stack] = [6, 7, 8, 9, 10] as const;
/** Where on the stack the number of a place is handed to the look-up. */
const PLACE = -4;

/** What of a network's bridge its program knows. */
export interface FastPathBridge {
  index: number;
  mac: Uint8Array;
}

/**
 * The BPF_PROG_TYPE_SCHED_CLS program of a network; its one map tells of the containers (entries.ts). It runs
 * where packets arrive from a container's link, and where the host's leave by the bridge.
 *
 * What a container sends under its own addresses goes straight into the namespace of a container of the
 * network, or up to the host; what the host sends goes straight to the link of the one it is for. All else
 * goes over the bridge, and through what filters there: other addresses, VLANs, broadcasts, neighbour discovery.
 */
export function fastPathProgram(bridge: FastPathBridge): Buffer {
  const program = new Assembler().move(context, first);
  program.load(4, data, context, SKB.data).load(4, end, context, SKB.dataEnd);
  program.load(4, second, context, SKB.vlanPresent).jumpIf(second, "is not", 0, "pass");
  // The shorter of both headers is enough to read the type.
  requireSize(program, IP[4].end);
  program.load(4, link, context, SKB.ifindex).load(2, third, data, ETHERNET.type);
  program.jumpIf(third, "is", readU16(ETHERTYPE[6], 0), "IPv6");
  program.jumpIf(third, "is not", readU16(ETHERTYPE[4], 0), "pass");
  lead(program, 4, bridge);
  program.label("IPv6");
  requireSize(program, IP[6].end);
  lead(program, 6, bridge);
  return program.label("pass").set(result, TC_ACT_UNSPEC).exit().finish();
}

function requireSize(program: Assembler, size: number): void {
  program.move(second, data).addTo(second, size).jumpIfRegister(second, "is above", end, "pass");
}

/** Sends a packet of a version where it belongs. */
function lead(program: Assembler, version: Version, bridge: FastPathBridge): void {
  const [fromHost, toPeer] = [`IPv${version} from the host`, `IPv${version} to a peer`];
  program.jumpIf(link, "is", bridge.index, fromHost);
  find(program, version, "source");
  program.load(4, first, result, ENTRY.link).jumpIfRegister(first, "is not", link, "pass");
  const mac = Buffer.from(bridge.mac);
  program.load(4, first, data, ETHERNET.destination).jumpIf(first, "is not", readU32(mac, 0) | 0, toPeer);
  program.load(2, first, data, ETHERNET.destination + 4).jumpIf(first, "is not", readU16(mac, 4), toPeer);
  program.set(first, bridge.index).set(second, BPF_F_INGRESS).call(HELPER.redirect).exit();

  program.label(toPeer);
  find(program, version, "destination");
  program.load(4, first, result, ENTRY.link).jumpIfRegister(first, "is", link, "pass").move(link, first);
  // It was for another link, so it arrived as somebody else's.
  program.move(first, context).set(second, PACKET_HOST).call(HELPER.changeType);
  program.move(first, link).set(second, 0).call(HELPER.redirectPeer).exit();

  program.label(fromHost);
  find(program, version, "destination");
  program.load(4, first, result, ENTRY.link).set(second, 0).call(HELPER.redirect).exit();
}

/** Looks the entry of an address of the packet up; goes to "pass" unless it is that address's, and hardware address's. */
function find(program: Assembler, version: Version, side: "source" | "destination"): void {
  const { [side]: address, size } = IP[version];
  program
    .load(2, first, data, address + size - 2)
    .toBigEndian16(first)
    .and(first, PLACES - 1);
  program.addTo(first, FIRST_PLACE[version]);
  program.store(4, stack, PLACE, first);
  program.map(first, 0).move(second, stack).addTo(second, PLACE).call(HELPER.mapLookup);
  program.jumpIfNull(result, "pass");
  program.load(4, first, result, ENTRY.type).jumpIf(first, "is not", readU16(ETHERTYPE[version], 0), "pass");
  const compare = (width: 2 | 4, known: number, found: number): void => {
    program.load(width, first, result, known).load(width, second, data, found);
    program.jumpIfRegister(first, "is not", second, "pass");
  };
  for (let at = 0; at < size; at += 4) compare(4, ENTRY.address + at, address + at);
  compare(4, ENTRY.mac, ETHERNET[side]);
  compare(2, ENTRY.mac + 4, ETHERNET[side] + 4);
}
