import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInterfaces, readInterfaces } from "./net-dev.ts";

const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    1294      17    1    2    0     0          0         0      180       3    4    5    0     0       0          0
`;

test("counters of each interface but the loopback", () => {
  assert.deepEqual(parseInterfaces(text), {
    eth0: {
      rx_bytes: 1294,
      rx_packets: 17,
      rx_errors: 1,
      rx_dropped: 2,
      tx_bytes: 180,
      tx_packets: 3,
      tx_errors: 4,
      tx_dropped: 5,
    },
  });
  assert.equal(parseInterfaces(text.replace(/ *eth0.*\n/, "")), null);
});

test("a process that is gone has none", () => {
  assert.equal(readInterfaces(2 ** 30), null);
});
