import assert from "node:assert/strict";
import { test } from "node:test";
import { execute, number, pointer, type Value } from "../../lib/bpf-testing.ts";
import { macBytes, macFor } from "../mac.ts";
import { addressBytes, parseAddress } from "../subnet.ts";
import type { Endpoint } from "../types.ts";
import { fastPathEntries, nothing } from "./entries.ts";
import { fastPathProgram } from "./program.ts";

const endpoint = (ipv4: string, ipv6 = ""): Endpoint => ({
  ...{ id: "", networkId: "", link: "", position: 0 },
  ...{ ipv4, ipv6, mac: macFor(ipv4) },
});

const BRIDGE = { index: 3, mac: macBytes("02:42:0a:00:00:01") };
const one = endpoint("10.0.0.2", "fd00::2");
const other = endpoint("10.0.0.3", "fd00::3");
const entries = new Map(
  [...fastPathEntries(one, 20), ...fastPathEntries(other, 30)].map(({ place, value }) => [place, value]),
);
const program = fastPathProgram(BRIDGE);
const REDIRECTED = 7;

/** A packet as its link's end on the host receives it. */
function packet(given: {
  from?: string;
  to?: string;
  fromMac?: string;
  toMac?: string;
  size?: number;
}): Buffer {
  const { from = one.ipv4, to = other.ipv4, fromMac = one.mac, toMac = other.mac } = given;
  const [source, destination] = [from, to].map((text) => addressBytes(parseAddress(text)));
  const six = from.includes(":");
  return Buffer.concat([
    ...[macBytes(toMac), macBytes(fromMac), Buffer.from(six ? "86dd" : "0800", "hex")],
    ...[
      Buffer.alloc(six ? 8 : 12),
      source ?? Buffer.alloc(0),
      destination ?? Buffer.alloc(0),
      Buffer.alloc(20),
    ],
  ]).subarray(0, given.size);
}

/** Runs the program as the kernel would; answers with what becomes of the packet. */
function run(data: Buffer, link: number, vlan = 0): string {
  const context = Buffer.alloc(88);
  context.writeUInt32LE(vlan, 20);
  context.writeUInt32LE(link, 40);
  const calls: string[] = [];
  const call =
    (name: string) =>
    (...[first, second]: Value[]): Value => {
      calls.push(`${name} ${number(first)} ${number(second)}`);
      return REDIRECTED;
    };
  const result = execute(program, {
    context,
    pointers: { 76: { memory: data, at: 0 }, 80: { memory: data, at: data.length } },
    helpers: {
      1: (_map, key) => {
        const { memory, at } = pointer(key);
        return { memory: entries.get(memory.readUInt32LE(at)) ?? nothing, at: 0 };
      },
      23: call("link"),
      32: () => {
        calls.push("for us");
        return 0;
      },
      155: call("peer"),
    },
  });
  return result === REDIRECTED ? calls.join(", ") : `${calls.join(", ")}pass`;
}

test("a container's packets go to its neighbours and to the host, of both families", () => {
  assert.equal(run(packet({}), 20), "for us, peer 30 0");
  assert.equal(run(packet({ from: one.ipv6, to: other.ipv6 }), 20), "for us, peer 30 0");
  const toHost = { toMac: "02:42:0a:00:00:01" };
  assert.equal(run(packet({ ...toHost, to: "192.0.2.1" }), 20), "link 3 1");
  assert.equal(run(packet({ ...toHost, from: one.ipv6, to: "2001:db8::1" }), 20), "link 3 1");
});

test("the host's packets go to the link of the one they are for", () => {
  const fromHost = { fromMac: "02:42:0a:00:00:01", from: "10.0.0.1" };
  assert.equal(run(packet(fromHost), 3), "link 30 0");
  assert.equal(run(packet({ ...fromHost, from: "fd00::1", to: other.ipv6 }), 3), "link 30 0");
  assert.equal(run(packet({ ...fromHost, to: "10.0.0.9" }), 3), "pass");
  assert.equal(run(packet({ ...fromHost, toMac: one.mac }), 3), "pass");
});

test("all else goes over the bridge", () => {
  const cases: Record<string, Parameters<typeof packet>[0]> = {
    "to nobody known": { to: "10.0.0.9" },
    "to one with the same last bits": { to: "10.0.8.3" },
    "to another's hardware address": { toMac: "02:42:0a:00:00:09" },
    "to all": { toMac: "ff:ff:ff:ff:ff:ff", to: "10.0.0.255" },
    "from another's address": { from: "10.0.0.3" },
    "from an address of nobody": { from: "10.0.0.9" },
    "from another's hardware address": { fromMac: other.mac },
    "from another's IPv6 address": { from: other.ipv6, to: one.ipv6 },
    "from an IPv4 address in an IPv6 packet": { from: "::ffff:10.0.0.2", to: "::ffff:10.0.0.3" },
    "to itself": { to: one.ipv4, toMac: one.mac },
    "cut in the IPv4 header": { size: 33 },
    "cut in the IPv6 header": { from: one.ipv6, to: other.ipv6, size: 53 },
    "shorter than a hardware header": { size: 10 },
  };
  for (const [name, given] of Object.entries(cases)) assert.equal(run(packet(given), 20), "pass", name);
  assert.equal(run(packet({}), 20, 1), "pass", "of a VLAN");
  assert.equal(run(packet({}), 30), "pass", "by another's link");
  const arp = packet({});
  arp.writeUInt16BE(0x0806, 12);
  assert.equal(run(arp, 20), "pass", "ARP");
});
