import type { BuildCache } from "@docker/node-sdk";
import { defineCommand, noArgs } from "../command.ts";
import { formatFlag } from "../flags/filters.ts";
import type { DiskUsage } from "../format/disk-usage.ts";
import { chooseFormat, type Listing, printRows } from "../format/rows.ts";
import { humanSize, timeAgo } from "../format/units.ts";
import { out } from "../io/output.ts";

const ago = (time: string | null | undefined): string => (time ? timeAgo(Date.parse(time) / 1000) : "");

const listing: Listing<BuildCache> = {
  typeName: "buildCacheContext",
  table: "{{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastUsedSince}}\t{{.Description}}",
  quiet: "{{.ID}}",
  columns: {
    ID: { header: "ID", value: ({ ID = "" }) => ID },
    Type: { header: "TYPE", value: ({ Type = "" }) => Type },
    // What an image has stays with the image.
    Reclaimable: { header: "RECLAIMABLE", value: ({ InUse, Shared }) => String(!InUse && !Shared) },
    Size: { header: "SIZE", value: ({ Size }) => humanSize(Size ?? 0) },
    LastUsedSince: { header: "LAST USED", value: ({ LastUsedAt }) => ago(LastUsedAt) },
    UsageCount: { header: "USAGE", value: ({ UsageCount }) => String(UsageCount ?? 0) },
    Description: {
      header: "DESCRIPTION",
      value: ({ Description = "" }) => Description.replace(/\s+/g, " ").slice(0, 60),
    },
  },
};

/** Shows what builds left to be used again, largest first. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show the build cache",
  aliases: ["builder du"],
  flags: { format: formatFlag },
  arity: noArgs,
  async run(flags, { client }) {
    const usage = await client.json<DiskUsage>("GET", "/system/df", { query: { type: "build-cache" } });
    const items = [...(usage.BuildCache ?? [])].sort((a, b) => (b.Size ?? 0) - (a.Size ?? 0));
    printRows(listing, chooseFormat(listing, flags.format, false), items);
    if (flags.format !== "") return 0;
    const total = (of: BuildCache[]): string => humanSize(of.reduce((sum, { Size = 0 }) => sum + Size, 0));
    out(
      `\nReclaimable: ${total(items.filter(({ InUse, Shared }) => !InUse && !Shared))}\nTotal: ${total(items)}\n`,
    );
    return 0;
  },
});
