import { defineCommand, noArgs } from "../command.ts";
import { mayPrune, prune, pruneFlags, pruneNetworks } from "../prune.ts";

/** Removes networks that no container uses. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove unused networks",
  flags: pruneFlags,
  arity: noArgs,
  async run({ filter, force }, { client }) {
    if (!mayPrune(force, "This will remove all custom networks not used by at least one container."))
      return 0;
    await prune(client, pruneNetworks(filter));
    return 0;
  },
});
