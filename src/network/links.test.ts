import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointLinks, resolverRoute } from "./links.ts";
import { parseAttributes, parseMessages, readU16, readU32 } from "./netlink/message.ts";
import { addDummy, addVlan } from "./netlink/route.ts";
import type { Endpoint, NetworkRecord } from "./types.ts";

const network = (driver: NetworkRecord["driver"], options: Record<string, string>): NetworkRecord => ({
  id: "a".repeat(64),
  name: "lan",
  created: "",
  driver,
  internal: false,
  attachable: false,
  ipv4: true,
  ipv6: false,
  subnets: [{ subnet: "10.7.0.0/24", gateway: "10.7.0.1" }],
  options,
  ipamOptions: {},
  labels: {},
  bridge: driver === "bridge" ? "br-lan" : "",
});

const endpoint: Endpoint = {
  id: "1234567".padEnd(64, "0"),
  networkId: "a".repeat(64),
  mac: "",
  ipv4: "10.7.0.2",
  ipv6: "",
  link: "",
  position: 0,
};

/** What a message that makes a link says of it (struct ifinfomsg, then IFLA_*). */
function linkOf(message: Buffer) {
  const [{ payload } = { payload: Buffer.alloc(0) }] = [...parseMessages(message)];
  const attributes = parseAttributes(payload.subarray(16));
  const info = parseAttributes(attributes.get(18) ?? Buffer.alloc(0));
  return {
    name: attributes.get(3)?.toString("latin1").replace(/\0$/, ""),
    parent: attributes.has(5) ? readU32(attributes.get(5) ?? Buffer.alloc(4), 0) : undefined,
    kind: info.get(1)?.toString("latin1").replace(/\0$/, ""),
    data: parseAttributes(info.get(2) ?? Buffer.alloc(0)),
  };
}

test("an ipvlan is a link on its parent, of the mode and flag that were asked for", () => {
  for (const [mode, flag, wanted] of [
    ["l2", "bridge", [0, undefined]],
    ["l3", "private", [1, 1]],
    ["l3s", "vepa", [2, 2]],
  ] as const) {
    const options = { parent: "eth0", ipvlan_mode: mode, ipvlan_flag: flag };
    const { host, inside } = endpointLinks(network("ipvlan", options), endpoint, 7, true);
    assert.equal(host.length, 1);
    const [{ message, descriptorAt } = { message: Buffer.alloc(0), descriptorAt: 0 }] = host;
    const { name, parent, kind, data } = linkOf(message);
    assert.deepEqual({ name, parent, kind }, { name: "eth0", parent: 7, kind: "ipvlan" });
    const [modeBytes, flagBytes] = [data.get(1), data.get(2)];
    assert.deepEqual([modeBytes && readU16(modeBytes, 0), flagBytes && readU16(flagBytes, 0)], wanted);
    // The namespace's descriptor is the last attribute, IFLA_NET_NS_FD.
    assert.equal(descriptorAt, message.length - 4);
    assert.equal(readU16(message, descriptorAt - 2), 28);
    // Layer 3 has no neighbours: the way out is the link.
    const route = inside.at(-1)?.why;
    assert.equal(route, mode === "l2" ? "out of lan by 10.7.0.1" : "out of lan by eth0");
  }
});

test("a macvlan has its own hardware address and a mode of 32 bits", () => {
  const own = { ...endpoint, mac: "02:42:0a:07:00:02" };
  const options = { parent: "eth0", macvlan_mode: "vepa" };
  const [{ message } = { message: Buffer.alloc(0) }] = endpointLinks(
    network("macvlan", options),
    own,
    7,
    false,
  ).host;
  const { kind, data } = linkOf(message);
  assert.equal(kind, "macvlan");
  assert.equal(readU32(data.get(1) ?? Buffer.alloc(4), 0), 2);
  assert.ok(message.includes(Buffer.from("02420a070002", "hex")));
});

test("links of the host that such networks are on: a VLAN of another, one that leads nowhere", () => {
  const vlan = linkOf(addVlan("eth0.10", 7, 10));
  assert.deepEqual([vlan.name, vlan.parent, vlan.kind], ["eth0.10", 7, "vlan"]);
  assert.equal(readU16(vlan.data.get(1) ?? Buffer.alloc(2), 0), 10);
  assert.equal(linkOf(addDummy("dm-1")).kind, "dummy");
});

test("the name server is reached by the bridge, before the loopback is asked", () => {
  const [{ message } = { message: Buffer.alloc(0) }] = resolverRoute(network("bridge", {}), endpoint);
  const [{ payload } = { payload: Buffer.alloc(0) }] = [...parseMessages(message)];
  // struct rtmsg: family, prefix, …, table.
  assert.deepEqual([payload[0], payload[1], payload[4]], [2, 32, 255]);
  const attributes = parseAttributes(payload.subarray(12));
  const shown = (type: number) => [...(attributes.get(type) ?? [])].join(".");
  assert.deepEqual([shown(1), shown(5), shown(7)], ["127.0.0.11", "10.7.0.1", "10.7.0.2"]);
});
