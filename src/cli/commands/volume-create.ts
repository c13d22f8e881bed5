import type { Volume } from "@docker/node-sdk";
import { atMost, defineCommand } from "../command.ts";
import { checkLabel } from "../create/checks.ts";
import { toMap } from "../create/env.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";

/** Makes a volume. */
export const command = defineCommand({
  usage: "[OPTIONS] [VOLUME]",
  summary: "Make a volume",
  flags: {
    driver: { type: "string", short: "d", default: "local", help: "Driver of the volume" },
    label: { type: "list", check: checkLabel, help: "Set a label (KEY=VALUE)" },
    name: { type: "string", hidden: true, help: "Name of the volume" },
    opt: { type: "map", short: "o", help: "Set an option of the driver", shownDefault: "map[]" },
  },
  arity: atMost(1),
  async run(flags, { args, client }) {
    if (args[0] !== undefined && flags.name !== "")
      throw new CliError(
        "conflicting options: cannot specify a volume name through both --name and as a positional arg",
      );
    const { Name } = await client.json<Volume>("POST", "/volumes/create", {
      body: {
        Name: args[0] ?? flags.name,
        Driver: flags.driver,
        DriverOpts: flags.opt,
        Labels: toMap(flags.label),
      },
    });
    out(`${Name}\n`);
    return 0;
  },
});
