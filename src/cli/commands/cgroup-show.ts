import { groupUrl } from "../cgroups/flags.ts";
import { renderGroup } from "../cgroups/render.ts";
import type { GroupDetails } from "../cgroups/types.ts";
import { atLeast, defineCommand } from "../command.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";

/** Shows control groups in full. */
export const command = defineCommand({
  usage: "[OPTIONS] GROUP [GROUP...]",
  summary: "Show all about control groups: limits, use, processes",
  flags: {
    format: { type: "string", help: "json for everything as JSON", completes: ["json"] },
  },
  arity: atLeast(1),
  async run({ format }, { args, client }) {
    if (format !== "" && format !== "json")
      throw new CliError(`unknown format ${JSON.stringify(format)}: only json`);
    const groups: GroupDetails[] = [];
    for (const path of args) groups.push(await client.json<GroupDetails>("GET", groupUrl(path, "/json")));
    out(format === "json" ? `${JSON.stringify(groups, null, 4)}\n` : groups.map(renderGroup).join("\n"));
    return 0;
  },
});
