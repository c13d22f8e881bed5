import { defineCommand, noArgs } from "../command.ts";
import { formatFlag } from "../flags/filters.ts";
import { chooseFormat, printRows } from "../format/rows.ts";
import { machineListing } from "../machines/listing.ts";
import type { MachineSummary } from "../machines/types.ts";

/** Lists virtual machines. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "List virtual machines, with what is allotted to each and what it uses",
  aliases: ["vm ls", "vm list"],
  flags: {
    format: formatFlag,
    quiet: { type: "bool", short: "q", help: "Show only the names of whole machines" },
  },
  arity: noArgs,
  async run({ format, quiet }, { client }) {
    const machines = await client.json<MachineSummary[]>("GET", "/berth/machines");
    // Names are for the other commands of `vm`, which containers are none of.
    const shown = quiet ? machines.filter(({ Kind }) => Kind === "machine") : machines;
    printRows(machineListing, chooseFormat(machineListing, format, quiet), shown);
    return 0;
  },
});
