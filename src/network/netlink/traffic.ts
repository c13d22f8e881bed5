import { flags, hostU32, NetlinkMessage, readU16 } from "./message.ts";

/** Message types and attributes of rtnetlink(7) for what tc(8) does. */
const RTM = { NEWQDISC: 36, NEWTFILTER: 44 } as const;
const TCA = { KIND: 1, OPTIONS: 2 } as const;
const BPF = { FD: 6, NAME: 7, FLAGS: 8 } as const;
const ACTS_DIRECTLY = 1;
const CLSACT = {
  handle: 0xffff_0000,
  parent: 0xffff_fff1,
  ingress: 0xffff_fff2,
  egress: 0xffff_fff3,
} as const;
/** Others have room before it. */
const PRIORITY = 100;
const ETH_P_ALL = Buffer.of(0, 3);

/** struct tcmsg. */
function place(index: number, handle: number, parent: number, info: Uint8Array = hostU32(0)): Buffer {
  return Buffer.concat([new Uint8Array(4), hostU32(index), hostU32(handle), hostU32(parent), info]);
}

/** What packets that arrive at a link, or leave by it, are given to. */
export const addClassifier = (index: number): Buffer =>
  new NetlinkMessage(
    RTM.NEWQDISC,
    flags.REQUEST | flags.ACK | flags.CREATE | flags.EXCL,
    1,
    place(index, CLSACT.handle, CLSACT.parent),
  )
    .text(TCA.KIND, "clsact")
    .finish();

/**
 * A program for a link's packets, in the place of the one before; addClassifier comes first. `descriptorAt`
 * is where the sender writes the program's descriptor.
 */
export function setFilter(
  index: number,
  side: "ingress" | "egress",
  name: string,
): { message: Buffer; descriptorAt: number } {
  // The priority in the upper half of the number, the protocol, in network order, in the lower.
  const info = hostU32((PRIORITY << 16) | readU16(ETH_P_ALL, 0));
  let descriptorAt = 0;
  const message = new NetlinkMessage(
    RTM.NEWTFILTER,
    flags.REQUEST | flags.ACK | flags.CREATE,
    1,
    place(index, 1, CLSACT[side], info),
  )
    .text(TCA.KIND, "bpf")
    .nest(TCA.OPTIONS, (options) => {
      descriptorAt = options.size + 4;
      options.u32(BPF.FD, 0).text(BPF.NAME, name).u32(BPF.FLAGS, ACTS_DIRECTLY);
    });
  return { message: message.finish(), descriptorAt };
}
