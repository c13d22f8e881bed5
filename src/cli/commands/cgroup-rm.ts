import { groupUrl } from "../cgroups/flags.ts";
import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";

/** Removes control groups. */
export const command = defineCommand({
  usage: "[OPTIONS] GROUP [GROUP...]",
  summary: "Remove control groups and those below them",
  aliases: ["cgroup rm", "cgroup remove"],
  flags: { force: { type: "bool", short: "f", help: "Kill the processes in them first" } },
  arity: atLeast(1),
  async run(flags, { args, client }) {
    return await forEachArgument(args, async (path) => {
      await client.call("DELETE", groupUrl(path), { query: { force: flags.force ? 1 : undefined } });
    });
  },
});
