import type { Volume, VolumeListResponse } from "@docker/node-sdk";
import { defineCommand, noArgs } from "../command.ts";
import { encodeFilters, filterFlag, formatFlag } from "../flags/filters.ts";
import { chooseFormat, printRows } from "../format/rows.ts";
import { volumeListing } from "../format/volumes.ts";

/** Lists volumes. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List volumes",
  aliases: ["volume ls", "volume list"],
  flags: {
    filter: filterFlag,
    format: formatFlag,
    quiet: { type: "bool", short: "q", help: "Show only names" },
  },
  arity: noArgs,
  async run(flags, { client }) {
    const { Volumes } = await client.json<VolumeListResponse>("GET", "/volumes", {
      query: { filters: encodeFilters(flags.filter) },
    });
    const volumes: Volume[] = [...(Volumes ?? [])].sort((a, b) => naturally(a.Name, b.Name));
    printRows(volumeListing, chooseFormat(volumeListing, flags.format, flags.quiet), volumes);
    return 0;
  },
});

/** Orders names so that numbers in them count: `v2` before `v10`. */
function naturally(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
