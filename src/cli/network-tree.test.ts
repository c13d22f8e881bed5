import assert from "node:assert/strict";
import { test } from "node:test";
import { drawNetwork } from "./network-tree.ts";

test("a network is drawn with its containers, their addresses, ports and other networks", () => {
  const network = {
    Name: "shop",
    Driver: "bridge",
    IPAM: { Config: [{ Subnet: "172.18.0.0/16", Gateway: "172.18.0.1" }] },
    Containers: {
      b: {
        Name: "web",
        IPv4Address: "172.18.0.3/16",
        IPv6Address: "fd00::3/64",
        MacAddress: "02:42:ac:12:00:03",
      },
      a: { Name: "database", IPv4Address: "172.18.0.2/16", IPv6Address: "", MacAddress: "02:42:ac:12:00:02" },
    },
  };
  const containers = [
    {
      Id: "b",
      Ports: [{ IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" as const }],
      NetworkSettings: { Networks: { shop: {}, front: {} } },
    },
  ];
  assert.equal(
    drawNetwork(network, containers),
    [
      "shop (bridge)  172.18.0.0/16 by 172.18.0.1",
      "├─ database  172.18.0.2          02:42:ac:12:00:02",
      "└─ web       172.18.0.3 fd00::3  02:42:ac:12:00:03  0.0.0.0:8080->80/tcp; also in front",
      "",
    ].join("\n"),
  );
});
