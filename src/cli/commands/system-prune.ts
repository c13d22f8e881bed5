import { isOlder } from "../client/client.ts";
import { defineCommand, noArgs } from "../command.ts";
import { out } from "../io/output.ts";
import {
  mayPrune,
  prune,
  pruneCache,
  pruneContainers,
  pruneFlags,
  pruneImages,
  pruneNetworks,
  pruneVolumes,
  reclaimed,
} from "../prune.ts";

/** Removes everything that is not used. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove everything that is not used",
  flags: {
    ...pruneFlags,
    all: { type: "bool", short: "a", help: "Also images with a name, if no container uses them" },
    volumes: { type: "bool", help: "Also anonymous volumes" },
  },
  arity: noArgs,
  async run({ all, filter, force, volumes }, { client }) {
    const cache = !isOlder(await client.negotiate(), "1.31");
    const what = ["all stopped containers", "all networks not used by at least one container"];
    if (volumes) what.push("all anonymous volumes not used by at least one container");
    what.push(all ? "all images without at least one container associated to them" : "all dangling images");
    if (cache) what.push(all ? "all build cache" : "unused build cache");
    const filters =
      filter.length > 0
        ? `\n\n  Items to be pruned will be filtered with:\n${filter.map((text) => `  - ${text}\n`).join("")}`
        : "";
    if (!mayPrune(force, `This will remove:\n${what.map((line) => `  - ${line}\n`).join("")}${filters}`))
      return 0;
    let freed = await prune(client, pruneContainers(filter));
    await prune(client, pruneNetworks(filter));
    if (volumes) freed += await prune(client, pruneVolumes(filter));
    freed += await prune(client, pruneImages(filter, all));
    if (cache) freed += await prune(client, pruneCache(filter, all));
    out(reclaimed(freed));
    return 0;
  },
});
