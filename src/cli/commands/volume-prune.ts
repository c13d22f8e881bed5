import { isOlder } from "../client/client.ts";
import { defineCommand, noArgs } from "../command.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";
import { mayPrune, prune, pruneFlags, pruneVolumes, reclaimed } from "../prune.ts";

/** Removes volumes that no container uses. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Remove unused volumes",
  flags: { ...pruneFlags, all: { type: "bool", short: "a", help: "Also those with a name" } },
  arity: noArgs,
  async run({ all, filter, force }, { client }) {
    const old = isOlder(await client.negotiate(), "1.42");
    if (all && filter.some((text) => text.startsWith("all=")))
      throw new CliError("conflicting options: cannot specify both --all and --filter all=1");
    const kind = all || old ? "local volumes" : "anonymous local volumes";
    if (
      !mayPrune(
        force,
        `This will remove ${kind === "local volumes" ? "all local volumes" : kind} not used by at least one container.`,
      )
    )
      return 0;
    out(reclaimed(await prune(client, pruneVolumes(all && !old ? [...filter, "all=true"] : filter))));
    return 0;
  },
});
