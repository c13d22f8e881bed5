import { Assembler } from "../../lib/bpf.ts";
import { readU16, readU32 } from "../netlink/message.ts";
import { ETHERTYPE, KEY, VALUE } from "./entries.ts";

/** Offsets in struct __sk_buff. */
const SKB = { vlanPresent: 20, ifindex: 40, data: 76, dataEnd: 80 } as const;
/** bpf-helpers(7). */
const HELPER = { mapLookup: 1, redirect: 23, changeType: 32, redirectPeer: 155 } as const;
const BPF_F_INGRESS = 1;
const PACKET_HOST = 0;
/** The packet goes on as if there were no program. */
const TC_ACT_UNSPEC = -1;

const ETHERNET = { destination: 0, source: 6, type: 12, size: 14 } as const;
/** Where the addresses are in an IP header, and how long that is at least. */
const IP = {
  4: { header: 20, source: 12, destination: 16, words: 1 },
  6: { header: 40, source: 8, destination: 24, words: 4 },
} as const;

const [result, first, second, third] = [0, 1, 2, 3] as const;
const [context, data, end, link, stack] = [6, 7, 8, 9, 10] as const;
/** The two keys on the stack; they begin at multiples of eight. */
const SOURCE = -24;
const DESTINATION = -48;

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
  readAddresses(program);
  program.load(4, link, context, SKB.ifindex).jumpIf(link, "is", bridge.index, "from host");

  lookUp(program, SOURCE);
  program.load(4, first, result, VALUE.link).jumpIfRegister(first, "is not", link, "pass");
  requireAddress(program, ETHERNET.source);
  const mac = Buffer.from(bridge.mac);
  program.load(4, first, data, ETHERNET.destination).jumpIf(first, "is not", readU32(mac, 0) | 0, "to peer");
  program.load(2, first, data, ETHERNET.destination + 4).jumpIf(first, "is not", readU16(mac, 4), "to peer");
  program.set(first, bridge.index).set(second, BPF_F_INGRESS).call(HELPER.redirect).exit();

  program.label("to peer");
  lookUp(program, DESTINATION);
  requireAddress(program, ETHERNET.destination);
  program.load(4, first, result, VALUE.link).jumpIfRegister(first, "is", link, "pass").move(link, first);
  // It was for another link, so it arrived as somebody else's.
  program.move(first, context).set(second, PACKET_HOST).call(HELPER.changeType);
  program.move(first, link).set(second, 0).call(HELPER.redirectPeer).exit();

  program.label("from host");
  lookUp(program, DESTINATION);
  requireAddress(program, ETHERNET.destination);
  program.load(4, first, result, VALUE.link).set(second, 0).call(HELPER.redirect).exit();

  return program.label("pass").set(result, TC_ACT_UNSPEC).exit().finish();
}

/** Makes the keys of both addresses; goes to "pass" with what is no whole IP header. */
function readAddresses(program: Assembler): void {
  const require = (size: number): void => {
    program.move(second, data).addTo(second, size).jumpIfRegister(second, "is above", end, "pass");
  };
  const copy = (version: 4 | 6): void => {
    const { source, destination, words } = IP[version];
    for (const [key, from] of [
      [SOURCE, source],
      [DESTINATION, destination],
    ] as const)
      for (let word = 0; word < words; word++) {
        program.load(4, third, data, ETHERNET.size + from + 4 * word);
        program.store(4, stack, key + KEY.address + 4 * word, third);
      }
  };
  require(ETHERNET.size + IP[4].header);
  program.load(2, third, data, ETHERNET.type);
  for (const key of [SOURCE, DESTINATION]) program.store(4, stack, key, third);
  program.jumpIf(third, "is", readU16(ETHERTYPE[6], 0), "IPv6");
  program.jumpIf(third, "is not", readU16(ETHERTYPE[4], 0), "pass").set(third, 0);
  for (const key of [SOURCE, DESTINATION])
    program.store(8, stack, key + 8, third).store(4, stack, key + 16, third);
  copy(4);
  program.jump("known").label("IPv6");
  require(ETHERNET.size + IP[6].header);
  copy(6);
  program.label("known");
}

function lookUp(program: Assembler, key: number): void {
  program.map(first, 0).move(second, stack).addTo(second, key).call(HELPER.mapLookup);
  program.jumpIfNull(result, "pass");
}

/** Goes on only when the packet has the hardware address of the entry that was looked up. */
function requireAddress(program: Assembler, at: number): void {
  const compare = (size: 2 | 4, offset: number): void => {
    program.load(size, first, result, VALUE.mac + offset).load(size, second, data, at + offset);
    program.jumpIfRegister(first, "is not", second, "pass");
  };
  compare(4, 0);
  compare(2, 4);
}
