import { defineCommand, exactly } from "../command.ts";
import { checkLabel } from "../create/checks.ts";
import { toMap } from "../create/env.ts";
import { CliError } from "../errors.ts";
import { err, out } from "../io/output.ts";

/** Makes a network. */
export const command = defineCommand({
  usage: "[OPTIONS] NETWORK",
  summary: "Make a network",
  flags: {
    attachable: { type: "bool", help: "Let containers be attached by hand" },
    "aux-address": { type: "map", help: "Address that the driver may not give away", shownDefault: "map[]" },
    "config-from": { type: "string", help: "Network to copy the configuration of" },
    "config-only": { type: "bool", help: "Make a configuration, not a network" },
    driver: { type: "string", short: "d", default: "bridge", help: "Driver of the network" },
    gateway: { type: "list", placeholder: "strings", help: "Gateway of the subnet" },
    ingress: { type: "bool", help: "Make the routing mesh of a swarm" },
    internal: { type: "bool", help: "No way out of the network" },
    "ip-range": { type: "list", placeholder: "strings", help: "Part of the subnet to take addresses from" },
    "ipam-driver": { type: "string", default: "default", help: "Driver that manages addresses" },
    "ipam-opt": { type: "map", help: "Set an option of that driver", shownDefault: "map[]" },
    ipv4: { type: "bool", default: "true", help: "Give out IPv4 addresses" },
    ipv6: { type: "bool", help: "Give out IPv6 addresses" },
    label: { type: "list", check: checkLabel, help: "Set a label (KEY=VALUE)" },
    opt: { type: "map", short: "o", help: "Set an option of the driver", shownDefault: "map[]" },
    scope: { type: "string", help: "Where the network is: local or swarm" },
    subnet: { type: "list", placeholder: "strings", help: "Addresses of the network (10.0.0.0/24)" },
  },
  arity: exactly(1),
  async run(flags, { args: [name = ""], changed, client }) {
    const subnets = flags.subnet.flatMap((text) => text.split(","));
    const pick = (list: readonly string[], flag: string) => {
      const values = list.flatMap((text) => text.split(","));
      if (values.length > subnets.length && subnets.length === 0)
        throw new CliError(`every ${flag} must have a corresponding subnet`);
      return values;
    };
    const gateways = pick(flags.gateway, "ip-range or gateway");
    const ranges = pick(flags["ip-range"], "ip-range or gateway");
    const config = subnets.map((Subnet, i) => ({
      Subnet,
      Gateway: gateways[i],
      IPRange: ranges[i],
      AuxiliaryAddresses: i === 0 && changed.has("aux-address") ? flags["aux-address"] : undefined,
    }));
    const { Id, Warning } = await client.json<{ Id: string; Warning?: string }>("POST", "/networks/create", {
      body: {
        Name: name,
        Driver: flags.driver,
        Options: flags.opt,
        IPAM: { Driver: flags["ipam-driver"], Config: config, Options: flags["ipam-opt"] },
        Internal: flags.internal,
        EnableIPv4: changed.has("ipv4") ? flags.ipv4 : undefined,
        EnableIPv6: changed.has("ipv6") ? flags.ipv6 : undefined,
        Attachable: flags.attachable,
        Ingress: flags.ingress,
        Scope: flags.scope,
        ConfigOnly: flags["config-only"],
        ConfigFrom: flags["config-from"] ? { Network: flags["config-from"] } : undefined,
        Labels: toMap(flags.label),
      },
    });
    if (Warning) err(`WARNING: ${Warning}\n`);
    out(`${Id}\n`);
    return 0;
  },
});
