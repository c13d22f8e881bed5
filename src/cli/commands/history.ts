import type { HistoryResponseItem } from "@docker/node-sdk";
import { defineCommand, exactly } from "../command.ts";
import { formatFlag } from "../flags/filters.ts";
import { chooseFormat, type Listing, printRows } from "../format/rows.ts";
import { ellipsis, humanSize, shortId, timeAgo } from "../format/units.ts";
import { platformJson } from "../platform.ts";

/** Lists the layers of an image and what made them. */
export const command = defineCommand({
  usage: "[OPTIONS] IMAGE",
  summary: "List the layers of an image",
  aliases: ["image history", "history"],
  flags: {
    format: formatFlag,
    human: { type: "bool", short: "H", default: "true", help: "Show sizes and dates for people" },
    "no-trunc": { type: "bool", help: "Show everything in full" },
    platform: { type: "string", help: "Platform of an image that has several (os[/arch[/variant]])" },
    quiet: { type: "bool", short: "q", help: "Show only ids" },
  },
  arity: exactly(1),
  completes: "image",
  async run(flags, { args: [name = ""], client }) {
    const items = await client.json<HistoryResponseItem[]>(
      "GET",
      `/images/${encodeURIComponent(name)}/history`,
      {
        query: { platform: flags.platform ? platformJson(flags.platform) : undefined },
      },
    );
    const listing = historyListing(flags["no-trunc"], flags.human);
    printRows(listing, chooseFormat(listing, flags.format, flags.quiet), items);
    return 0;
  },
});

function historyListing(full: boolean, human: boolean): Listing<HistoryResponseItem> {
  const time = (seconds: number) =>
    seconds > 0 ? new Date(seconds * 1000).toISOString().replace(".000", "") : "";
  return {
    typeName: "historyContext",
    table:
      "{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    quiet: "{{.ID}}",
    columns: {
      ID: { header: "IMAGE", value: ({ Id }) => (full ? Id : shortId(Id)) },
      CreatedAt: { header: "CREATED AT", value: ({ Created }) => time(Created) },
      CreatedSince: {
        header: human ? "CREATED" : "CREATED AT",
        value: ({ Created }) => (human ? (Created > 0 ? timeAgo(Created) : "") : time(Created)),
      },
      CreatedBy: {
        header: "CREATED BY",
        value: ({ CreatedBy }) => {
          const line = CreatedBy.replaceAll("\t", " ");
          return full ? line : ellipsis(line, 45);
        },
      },
      Size: { header: "SIZE", value: ({ Size }) => (human ? humanSize(Size, 3) : String(Size)) },
      Comment: { header: "COMMENT", value: ({ Comment }) => Comment },
    },
  };
}
