import { renderTree } from "../cgroups/render.ts";
import type { GroupTree } from "../cgroups/types.ts";
import { atMost, defineCommand } from "../command.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";

/** Lists control groups as a tree. */
export const command = defineCommand({
  usage: "[OPTIONS] [GROUP]",
  summary: "List the machine's control groups, with what each uses and may use",
  aliases: ["cgroup ls", "cgroup list"],
  flags: {
    format: { type: "string", help: "json for everything as JSON", completes: ["json"] },
  },
  arity: atMost(1),
  async run({ format }, { args, client }) {
    if (format !== "" && format !== "json")
      throw new CliError(`unknown format ${JSON.stringify(format)}: only json`);
    const tree = await client.json<GroupTree>("GET", "/berth/cgroups", { query: { path: args[0] } });
    out(format === "json" ? `${JSON.stringify(tree, null, 4)}\n` : renderTree(tree));
    return 0;
  },
});
