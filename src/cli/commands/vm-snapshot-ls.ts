import { defineCommand, exactly } from "../command.ts";
import { formatFlag } from "../flags/filters.ts";
import { chooseFormat, printRows } from "../format/rows.ts";
import { snapshotListing } from "../machines/listing.ts";
import { type MachineSnapshot, machinePath } from "../machines/types.ts";

/** Lists the snapshots of a machine. */
export const command = defineCommand({
  usage: "[OPTIONS] MACHINE",
  summary: "List the snapshots of a virtual machine",
  aliases: ["vm snapshot ls", "vm snapshot list"],
  flags: { format: formatFlag, quiet: { type: "bool", short: "q", help: "Show only names" } },
  arity: exactly(1),
  completes: "machine",
  async run({ format, quiet }, { args: [name = ""], client }) {
    const snapshots = await client.json<MachineSnapshot[]>("GET", `${machinePath(name)}/snapshots`);
    printRows(snapshotListing, chooseFormat(snapshotListing, format, quiet), snapshots);
    return 0;
  },
});
