import { defineCommand, noArgs } from "../command.ts";
import { out } from "../io/output.ts";
import { mayPrune, prune, pruneContainers, pruneFlags, reclaimed } from "../prune.ts";

/** Removes all stopped containers. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove all stopped containers",
  flags: pruneFlags,
  arity: noArgs,
  async run({ filter, force }, { client }) {
    if (!mayPrune(force, "This will remove all stopped containers.")) return 0;
    out(reclaimed(await prune(client, pruneContainers(filter))));
    return 0;
  },
});
