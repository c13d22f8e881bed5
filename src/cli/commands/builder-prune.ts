import { defineCommand, noArgs } from "../command.ts";
import { out } from "../io/output.ts";
import { mayPrune, prune, pruneCache, pruneFlags, reclaimed } from "../prune.ts";

/** Removes what earlier builds left to be used again. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove the build cache",
  aliases: ["builder prune"],
  flags: {
    ...pruneFlags,
    all: { type: "bool", short: "a", help: "Also forget what images use" },
    "keep-storage": { type: "bytes", help: "What may stay, what was used last first" },
    "reserved-space": { type: "bytes", help: "The same" },
    "max-used-space": { type: "bytes", help: "What may stay at most" },
    "min-free-space": { type: "bytes", help: "What is to be free of the disk" },
  },
  arity: noArgs,
  async run({ all, filter, force, ...bounds }, { client }) {
    if (!mayPrune(force, `This will remove ${all ? "all" : "unused"} build cache.`)) return 0;
    out(
      reclaimed(
        await prune(
          client,
          pruneCache(filter, all, {
            keep: bounds["reserved-space"] || bounds["keep-storage"] || undefined,
            most: bounds["max-used-space"] || undefined,
            free: bounds["min-free-space"] || undefined,
          }),
        ),
      ),
    );
    return 0;
  },
});
