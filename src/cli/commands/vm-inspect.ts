import { text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { inspectAll, inspectFormatFlag } from "../inspect.ts";
import { machinePath } from "../machines/types.ts";

/** Shows all that is known of virtual machines. */
export const command = defineCommand({
  usage: "[OPTIONS] MACHINE [MACHINE...]",
  summary: "Show everything about virtual machines",
  flags: { format: inspectFormatFlag },
  arity: atLeast(1),
  completes: "machine",
  async run(flags, { args, client }) {
    const get = async (name: string) =>
      await text((await client.request("GET", `${machinePath(name)}/json`)).body);
    return await inspectAll(args, get, flags.format);
  },
});
