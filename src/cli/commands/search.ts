import { defineCommand, exactly } from "../command.ts";
import { authHeader } from "../credentials.ts";
import { encodeFilters, filterFlag, formatFlag } from "../flags/filters.ts";
import { chooseFormat, type Listing, printRows } from "../format/rows.ts";
import { ellipsis } from "../format/units.ts";

interface Found {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated: boolean;
}

/** Asks Docker Hub, or another registry, for images. */
export const command = defineCommand({
  usage: "[OPTIONS] TERM",
  summary: "Search Docker Hub for images",
  aliases: ["image search", "search"],
  flags: {
    filter: filterFlag,
    format: formatFlag,
    limit: { type: "int", default: "0", help: "Most results to show (25 unless told, 100 at most)" },
    "no-trunc": { type: "bool", help: "Show everything in full" },
  },
  arity: exactly(1),
  async run(flags, { args: [term = ""], client }) {
    const found = await client.json<Found[]>("GET", "/images/search", {
      query: {
        term,
        limit: flags.limit > 0 ? flags.limit : undefined,
        filters: encodeFilters(flags.filter),
      },
      headers: await authHeader(term),
    });
    const listing = searchListing(flags["no-trunc"]);
    printRows(listing, chooseFormat(listing, flags.format, false), found);
    return 0;
  },
});

const mark = (value: boolean): string => (value ? "[OK]" : "");

function searchListing(full: boolean): Listing<Found> {
  return {
    typeName: "searchContext",
    table: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
    quiet: "{{.Name}}",
    columns: {
      Name: { header: "NAME", value: ({ name }) => name },
      Description: {
        header: "DESCRIPTION",
        value: ({ description }) => {
          const line = description.replace(/[\r\n]/g, " ");
          return full ? line : ellipsis(line, 45);
        },
      },
      StarCount: { header: "STARS", value: ({ star_count }) => String(star_count) },
      IsOfficial: {
        header: "OFFICIAL",
        value: ({ is_official }) => mark(is_official),
        json: ({ is_official }) => String(is_official),
      },
      IsAutomated: {
        header: "AUTOMATED",
        value: ({ is_automated }) => mark(is_automated),
        json: () => undefined,
      },
    },
  };
}
