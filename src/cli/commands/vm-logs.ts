import { defineCommand, exactly } from "../command.ts";
import { out } from "../io/output.ts";
import { machinePath } from "../machines/types.ts";

/** Shows what was written to a machine's serial console. */
export const command = defineCommand({
  usage: "[OPTIONS] MACHINE",
  summary: "Show what was written to the serial console of a virtual machine",
  flags: {
    follow: { type: "bool", short: "f", help: "Go on as more is written" },
    tail: { type: "string", short: "n", default: "all", help: "Only the last N lines" },
  },
  arity: exactly(1),
  completes: "machine",
  async run({ follow, tail }, { args: [name = ""], client }) {
    const { body } = await client.request("GET", `${machinePath(name)}/logs`, {
      query: { follow: follow ? 1 : undefined, tail },
    });
    for await (const data of body) out(data);
    return 0;
  },
});
