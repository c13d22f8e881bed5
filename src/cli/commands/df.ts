import { defineCommand, noArgs } from "../command.ts";
import { CliError } from "../errors.ts";
import { formatFlag } from "../flags/filters.ts";
import { type DiskUsage, usageListing, usageRows, verboseUsage } from "../format/disk-usage.ts";
import { chooseFormat, printRows } from "../format/rows.ts";
import { out } from "../io/output.ts";

/** Shows what takes disk space. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show what takes disk space",
  flags: {
    format: formatFlag,
    verbose: { type: "bool", short: "v", help: "List each thing" },
  },
  arity: noArgs,
  async run(flags, { client }) {
    if (flags.verbose && flags.format !== "" && flags.format !== "table" && flags.format !== "json")
      throw new CliError("the --verbose option is not supported with a custom format");
    const usage = await client.json<DiskUsage>("GET", "/system/df");
    if (flags.verbose && flags.format !== "json") out(verboseUsage(usage));
    else printRows(usageListing, chooseFormat(usageListing, flags.format, false), usageRows(usage));
    return 0;
  },
});
