import { defineCommand, exactly } from "../command.ts";
import { out } from "../io/output.ts";
import { machinePath } from "../machines/types.ts";

/** Removes a snapshot of a machine. */
export const command = defineCommand({
  usage: "MACHINE SNAPSHOT",
  summary: "Remove a snapshot of a virtual machine",
  flags: {},
  arity: exactly(2),
  completes: "machine",
  async run(_, { args: [name = "", snapshot = ""], client }) {
    await client.call("DELETE", `${machinePath(name)}/snapshots`, { query: { snapshot } });
    out(`${snapshot}\n`);
    return 0;
  },
});
