import type { ContainerSummary } from "@docker/node-sdk";
import { defineCommand, noArgs } from "../command.ts";
import { encodeFilters, filterFlag, formatFlag } from "../flags/filters.ts";
import { containerListing } from "../format/containers.ts";
import { chooseFormat, printRows } from "../format/rows.ts";
import { err } from "../io/output.ts";

/** Lists containers. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List containers",
  aliases: ["container ls", "container list", "container ps", "ps"],
  flags: {
    all: { type: "bool", short: "a", help: "Show stopped containers too" },
    filter: filterFlag,
    format: formatFlag,
    last: {
      type: "int",
      short: "n",
      default: "-1",
      help: "Show the N newest containers, whatever their state",
    },
    latest: { type: "bool", short: "l", help: "Show the newest container, whatever its state" },
    "no-trunc": { type: "bool", help: "Show everything in full" },
    quiet: { type: "bool", short: "q", help: "Show only ids" },
    size: { type: "bool", short: "s", help: "Show sizes of filesystems" },
  },
  arity: noArgs,
  async run(flags, { client }) {
    const listing = containerListing(flags["no-trunc"], flags.size);
    if (flags.quiet && flags.format !== "")
      err("WARNING: Ignoring custom format, because both --format and --quiet are set.\n");
    const format = chooseFormat(listing, flags.quiet ? "" : flags.format, flags.quiet);
    const limit = flags.latest && flags.last === -1 ? 1 : flags.last;
    const containers = await client.json<ContainerSummary[]>("GET", "/containers/json", {
      query: {
        all: flags.all || flags.latest ? 1 : undefined,
        limit: limit > 0 ? limit : undefined,
        size: flags.size || (flags.format !== "" && /\.Size\b|json \./.test(flags.format)) ? 1 : undefined,
        filters: encodeFilters(flags.filter),
      },
    });
    printRows(listing, format, containers);
    return 0;
  },
});
