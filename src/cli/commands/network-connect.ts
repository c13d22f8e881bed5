import { defineCommand, exactly } from "../command.ts";
import { checkLink } from "../create/checks.ts";
import { toMap } from "../create/env.ts";

/** Connects a container to a network. */
export const command = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  summary: "Connect a container to a network",
  flags: {
    alias: { type: "list", placeholder: "strings", help: "Add a name in the network" },
    "driver-opt": { type: "list", placeholder: "strings", help: "Set an option of the driver" },
    "gw-priority": { type: "int", help: "The network with the highest has the default gateway" },
    ip: { type: "string", help: "IPv4 address" },
    ip6: { type: "string", help: "IPv6 address" },
    link: { type: "list", check: checkLink, help: "Link to another container (NAME[:ALIAS])" },
    "link-local-ip": { type: "list", placeholder: "strings", help: "Link-local address" },
  },
  arity: exactly(2),
  completes: "network",
  async run(flags, { args: [network = "", container = ""], client }) {
    await client.call("POST", `/networks/${encodeURIComponent(network)}/connect`, {
      body: {
        Container: container,
        EndpointConfig: {
          IPAMConfig: {
            IPv4Address: flags.ip,
            IPv6Address: flags.ip6,
            LinkLocalIPs: flags["link-local-ip"],
          },
          Links: flags.link,
          Aliases: flags.alias,
          DriverOpts: toMap(flags["driver-opt"]),
          GwPriority: flags["gw-priority"],
        },
      },
    });
    return 0;
  },
});
