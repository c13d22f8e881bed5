import { defineCommand, noArgs } from "../command.ts";
import { formatFlag } from "../flags/filters.ts";
import { chooseFormat, printRows } from "../format/rows.ts";
import { templateListing } from "../machines/listing.ts";
import type { MachineTemplate } from "../machines/types.ts";

/** Lists the machines that containers go on from. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List the machines from which containers with --isolation=hyperv start at once",
  aliases: ["vm template ls", "vm template list"],
  flags: { format: formatFlag, quiet: { type: "bool", short: "q", help: "Show only names" } },
  arity: noArgs,
  async run({ format, quiet }, { client }) {
    const templates = await client.json<MachineTemplate[]>("GET", "/berth/machine-templates");
    printRows(templateListing, chooseFormat(templateListing, format, quiet), templates);
    return 0;
  },
});
