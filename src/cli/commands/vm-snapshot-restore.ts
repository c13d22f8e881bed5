import { defineCommand, exactly } from "../command.ts";
import { out } from "../io/output.ts";
import { machinePath } from "../machines/types.ts";

/** Takes a machine back to a snapshot. */
export const command = defineCommand({
  usage: "MACHINE SNAPSHOT",
  summary: "Take a virtual machine back to a snapshot",
  flags: {},
  arity: exactly(2),
  completes: "machine",
  async run(_, { args: [name = "", snapshot = ""], client }) {
    await client.call("POST", `${machinePath(name)}/snapshots/restore`, { query: { snapshot } });
    out(`${snapshot}\n`);
    return 0;
  },
});
