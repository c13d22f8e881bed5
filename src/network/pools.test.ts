import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRoutes4, parseRoutes6 } from "./host-routes.ts";
import { freeSubnet, parsePool, uniqueLocalSubnet } from "./pools.ts";
import { formatCidr, parseCidr } from "./subnet.ts";

test("a pool is read as dockerd reads it", () => {
  assert.deepEqual(parsePool("base=10.0.0.0/8,size=24"), { base: "10.0.0.0/8", size: 24 });
  assert.deepEqual(parsePool("base=fd00:1::/48,size=64"), { base: "fd00:1::/48", size: 64 });
  for (const wrong of [
    "",
    "base=10.0.0.0/8",
    "base=10.0.0.0/8,size=4",
    "base=10.0.0.0/8,size=31",
    "base=x,size=24",
  ])
    assert.throws(() => parsePool(wrong), /invalid/);
});

test("the next free piece of the pools, none twice, an error when all are taken", () => {
  const pools = [parsePool("base=198.18.0.0/23,size=24"), parsePool("base=198.19.4.0/24,size=24")];
  const taken: string[] = [];
  for (let at = 0; at < 3; at++) taken.push(freeSubnet(pools, taken.map(parseCidr)));
  assert.deepEqual(taken, ["198.18.0.0/24", "198.18.1.0/24", "198.19.4.0/24"]);
  assert.throws(
    () => freeSubnet(pools, taken.map(parseCidr)),
    /all predefined address pools have been fully subnetted/,
  );
  assert.equal(freeSubnet(pools, [], 0.5), "198.18.1.0/24");
  // What is larger than a piece takes all pieces in it.
  assert.equal(freeSubnet(pools, [parseCidr("198.18.0.0/16")]), "198.19.4.0/24");
});

test("routes of the host, but for default ones, the loopback's and those of links alone", () => {
  const four = `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`;
  assert.deepEqual(
    parseRoutes4(four).map(({ link, range }) => [link, formatCidr(range)]),
    [["eth0", "192.0.2.0/24"]],
  );
  const none = "00000000000000000000000000000000";
  const line = (destination: string, prefix: string, link: string): string =>
    `${destination} ${prefix} ${none} 00 ${none} 00000100 00000001 00000000 00000001 ${link}`;
  const six = [
    line("fd000000000000000000000000000000", "40", "eth0"),
    line("fe800000000000000000000000000000", "40", "eth0"),
    line(none, "00", "eth0"),
    line("00000000000000000000000000000001", "80", "lo"),
  ].join("\n");
  assert.deepEqual(
    parseRoutes6(six).map(({ range }) => formatCidr(range)),
    ["fd00::/64"],
  );
});

test("an IPv6 subnet of one's own follows from the network's id", () => {
  assert.match(uniqueLocalSubnet("a"), /^fd[0-9a-f]{2}(:[0-9a-f]{1,4}){3}::\/64$/);
  assert.notEqual(uniqueLocalSubnet("a"), uniqueLocalSubnet("b"));
});
