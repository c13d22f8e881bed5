import { defineCommand, noArgs } from "../command.ts";
import { out } from "../io/output.ts";
import { mayPrune, prune, pruneFlags, pruneImages, reclaimed } from "../prune.ts";

/** Removes images that are not used. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove unused images",
  flags: {
    ...pruneFlags,
    all: { type: "bool", short: "a", help: "Also images with a name, if no container uses them" },
  },
  arity: noArgs,
  async run({ all, filter, force }, { client }) {
    const what = all ? "images without at least one container associated to them" : "dangling images";
    if (!mayPrune(force, `This will remove all ${what}.`)) return 0;
    out(reclaimed(await prune(client, pruneImages(filter, all))));
    return 0;
  },
});
