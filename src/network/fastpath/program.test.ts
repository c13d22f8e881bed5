import assert from "node:assert/strict";
import { test } from "node:test";
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

interface Pointer {
  memory: Buffer;
  at: number;
}
type Value = number | Pointer;

/** Runs the program as the kernel would; answers with what becomes of the packet. */
function run(data: Buffer, link: number, vlan = 0): string {
  const context = Buffer.alloc(88);
  context.writeUInt32LE(vlan, 20);
  context.writeUInt32LE(link, 40);
  const registers: Value[] = new Array(11).fill(0);
  registers[1] = { memory: context, at: 0 };
  registers[10] = { memory: Buffer.alloc(512), at: 512 };
  const calls: string[] = [];
  const number = (value: Value | undefined): number => {
    assert.equal(typeof value, "number");
    return value as number;
  };
  const pointer = (value: Value | undefined): Pointer => {
    assert.equal(typeof value, "object");
    return value as Pointer;
  };
  const read = ({ memory, at }: Pointer, size: number): Value => {
    if (memory === context && at === 76) return { memory: data, at: 0 };
    if (memory === context && at === 80) return { memory: data, at: data.length };
    return memory.readUIntLE(at, size);
  };
  const call = (helper: number): Value => {
    const [, first, second] = registers;
    if (helper === 1) {
      const { memory, at } = pointer(second);
      return { memory: entries.get(memory.readUInt32LE(at)) ?? nothing, at: 0 };
    }
    if (helper === 32) calls.push("for us");
    else calls.push(`${{ 23: "link", 155: "peer" }[helper]} ${number(first)} ${number(second)}`);
    return 7;
  };
  const sizes: Record<number, number> = { 8: 2, 0: 4, 24: 8 };
  for (let at = 0; at < program.length / 8; at++) {
    const base = at * 8;
    const code = program.readUInt8(base);
    const destination = program.readUInt8(base + 1) & 15;
    const source = program.readUInt8(base + 1) >> 4;
    const offset = program.readInt16LE(base + 2);
    const immediate = program.readInt32LE(base + 4);
    const [left, right] = [registers[destination] ?? 0, registers[source] ?? 0];
    const size = sizes[code & 0x18] ?? 0;
    if ((code & 0xe7) === 0x61) {
      const from = pointer(right);
      registers[destination] = read({ ...from, at: from.at + offset }, size);
    } else if ((code & 0xe7) === 0x63) {
      const to = pointer(left);
      if (size === 8) to.memory.writeBigUInt64LE(BigInt(number(right)), to.at + offset);
      else to.memory.writeUIntLE(number(right), to.at + offset, size);
    } else if (code === 0xb7) registers[destination] = immediate;
    else if (code === 0xbf) registers[destination] = right;
    else if (code === 0x07)
      registers[destination] =
        typeof left === "number" ? left + immediate : { ...left, at: left.at + immediate };
    else if (code === 0x57) registers[destination] = number(left) & immediate;
    else if (code === 0xdc) registers[destination] = ((number(left) & 0xff) << 8) | (number(left) >> 8);
    else if (code === 0x18) at++;
    else if (code === 0x85) registers[0] = call(immediate);
    else if (code === 0x05) at += offset;
    else if (code === 0x15) at += left === immediate ? offset : 0;
    else if (code === 0x16) at += (number(left) | 0) === immediate ? offset : 0;
    else if (code === 0x56) at += (number(left) | 0) !== immediate ? offset : 0;
    else if (code === 0x1d) at += left === right ? offset : 0;
    else if (code === 0x5d) at += left !== right ? offset : 0;
    else if (code === 0x2d) at += pointer(left).at > pointer(right).at ? offset : 0;
    else if (code === 0x95) return registers[0] === 7 ? calls.join(", ") : `${calls.join(", ")}pass`;
    else assert.fail(`opcode ${code}`);
  }
  assert.fail("fell off the end");
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
