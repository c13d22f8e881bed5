import type { NetworkInspect } from "@docker/node-sdk";
import { defineCommand, noArgs } from "../command.ts";
import { encodeFilters, filterFlag, formatFlag } from "../flags/filters.ts";
import { showLabels } from "../format/containers.ts";
import { chooseFormat, type Listing, printRows } from "../format/rows.ts";
import { goTimeNanos, shortId } from "../format/units.ts";

/** Lists networks. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List networks",
  aliases: ["network ls", "network list"],
  flags: {
    filter: filterFlag,
    format: formatFlag,
    "no-trunc": { type: "bool", help: "Show ids in full" },
    quiet: { type: "bool", short: "q", help: "Show only ids" },
  },
  arity: noArgs,
  async run(flags, { client }) {
    const networks = await client.json<NetworkInspect[]>("GET", "/networks", {
      query: { filters: encodeFilters(flags.filter) },
    });
    networks.sort((a, b) => (a.Name ?? "").localeCompare(b.Name ?? "", "en", { numeric: true }));
    const listing = networkListing(flags["no-trunc"]);
    printRows(listing, chooseFormat(listing, flags.format, flags.quiet), networks);
    return 0;
  },
});

function networkListing(full: boolean): Listing<NetworkInspect> {
  return {
    typeName: "networkContext",
    table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
    quiet: "{{.ID}}",
    columns: {
      ID: { header: "NETWORK ID", value: ({ Id = "" }) => (full ? Id : shortId(Id)) },
      Name: { header: "NAME", value: ({ Name }) => Name ?? "" },
      Driver: { header: "DRIVER", value: ({ Driver }) => Driver ?? "" },
      Scope: { header: "SCOPE", value: ({ Scope }) => Scope ?? "" },
      IPv4: { header: "IPV4", value: ({ EnableIPv4 }) => String(EnableIPv4 ?? false) },
      IPv6: { header: "IPV6", value: ({ EnableIPv6 }) => String(EnableIPv6 ?? false) },
      Internal: { header: "INTERNAL", value: ({ Internal }) => String(Internal ?? false) },
      Labels: { header: "LABELS", value: ({ Labels }) => showLabels(Labels) },
      CreatedAt: { header: "CREATED AT", value: ({ Created }) => goTimeNanos(Created ?? "") },
    },
    methods: ({ Labels }) => ({ Label: (name: string) => Labels?.[name] ?? "" }),
  };
}
