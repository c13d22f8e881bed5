import { flags, NetlinkMessage } from "./message.ts";

/** NETLINK_NETFILTER, the family of these messages. */
export const NETLINK_NETFILTER = 12;

/** nfnetlink's header and messages (linux/netfilter/nfnetlink.h, nf_tables.h). */
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const SUBSYSTEM = 10;
const NEWSETELEM = (SUBSYSTEM << 8) | 12;
const DELSETELEM = (SUBSYSTEM << 8) | 14;
const FAMILIES = { inet: 1, bridge: 7 } as const;
const LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const;
const LIST_ELEM = 1;
const ELEM = { KEY: 1, DATA: 2, KEY_END: 10 } as const;
const DATA_VALUE = 1;

/** An element of a set or map, its fields as nf_tables has them in registers: each padded to four bytes. */
export interface SetElement {
  family: keyof typeof FAMILIES;
  set: string;
  key: Buffer;
  /** The other end of an interval. */
  keyEnd?: Buffer;
  data?: Buffer;
}

/** As many elements as fit into what a netlink socket sends at once. */
const MOST_AT_ONCE = 1000;

/**
 * Messages that add elements to sets of a table or remove them. Each buffer is one transaction: all of it
 * happens or nothing. Only the last message of one is acknowledged; an earlier one's failure is answered
 * all the same.
 */
export function elementBatches(
  table: string,
  verb: "add" | "remove",
  elements: readonly SetElement[],
): Buffer[] {
  const batches: Buffer[] = [];
  for (let at = 0; at < elements.length; at += MOST_AT_ONCE)
    batches.push(batch(table, verb, elements.slice(at, at + MOST_AT_ONCE)));
  return batches;
}

function batch(table: string, verb: "add" | "remove", elements: readonly SetElement[]): Buffer {
  const parts = [edge(BATCH_BEGIN)];
  elements.forEach((element, at) => {
    const acknowledged = at === elements.length - 1 ? flags.ACK : 0;
    parts.push(change(table, verb, element, acknowledged));
  });
  parts.push(edge(BATCH_END));
  return Buffer.concat(parts);
}

function edge(type: number): Buffer {
  return new NetlinkMessage(type, flags.REQUEST, 1, Uint8Array.of(0, 0, 0, SUBSYSTEM)).finish();
}

function change(table: string, verb: "add" | "remove", element: SetElement, acknowledged: number): Buffer {
  const { family, set, key, keyEnd, data } = element;
  const [type, create] = verb === "add" ? [NEWSETELEM, flags.CREATE] : [DELSETELEM, 0];
  const header = Uint8Array.of(FAMILIES[family], 0, 0, 0);
  return new NetlinkMessage(type, flags.REQUEST | create | acknowledged, 1, header)
    .text(LIST.TABLE, table)
    .text(LIST.SET, set)
    .nest(LIST.ELEMENTS, (list) =>
      list.nest(LIST_ELEM, (item) => {
        item.nest(ELEM.KEY, (value) => value.attribute(DATA_VALUE, key));
        if (keyEnd) item.nest(ELEM.KEY_END, (value) => value.attribute(DATA_VALUE, keyEnd));
        if (data) item.nest(ELEM.DATA, (value) => value.attribute(DATA_VALUE, data));
      }),
    )
    .finish();
}
