import type { ImageSummary } from "@docker/node-sdk";
import { atMost, defineCommand } from "../command.ts";
import { encodeFilters, filterFlag, formatFlag } from "../flags/filters.ts";
import { expandImages, imageListing } from "../format/images.ts";
import { chooseFormat, printRows } from "../format/rows.ts";

/** Lists images. */
export const command = defineCommand({
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  summary: "List images",
  aliases: ["image ls", "image list", "images"],
  flags: {
    all: { type: "bool", short: "a", help: "Show intermediate images too" },
    digests: { type: "bool", help: "Show digests" },
    filter: filterFlag,
    format: formatFlag,
    "no-trunc": { type: "bool", help: "Show everything in full" },
    quiet: { type: "bool", short: "q", help: "Show only ids" },
  },
  arity: atMost(1),
  completes: "image",
  async run(flags, { args, client }) {
    const filters = args[0] === undefined ? flags.filter : [...flags.filter, `reference=${args[0]}`];
    const images = await client.json<ImageSummary[]>("GET", "/images/json", {
      query: { all: flags.all ? 1 : undefined, filters: encodeFilters(filters) },
    });
    const listing = imageListing(flags["no-trunc"], flags.digests);
    const format = chooseFormat(listing, flags.format, flags.quiet);
    const needDigest = flags.digests || /\.Digest\b/.test(format);
    printRows(listing, format, expandImages(images, needDigest));
    return 0;
  },
});
