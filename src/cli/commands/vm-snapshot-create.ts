import { defineCommand, exactly } from "../command.ts";
import { out } from "../io/output.ts";
import { machinePath } from "../machines/types.ts";

/** Takes a snapshot of a machine. */
export const command = defineCommand({
  usage: "MACHINE SNAPSHOT",
  summary: "Keep the state of a virtual machine, with its memory if it runs",
  flags: {},
  arity: exactly(2),
  completes: "machine",
  async run(_, { args: [name = "", snapshot = ""], client }) {
    await client.call("POST", `${machinePath(name)}/snapshots`, { query: { snapshot } });
    out(`${snapshot}\n`);
    return 0;
  },
});
