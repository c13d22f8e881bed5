import { defineCommand, noArgs } from "../command.ts";
import { out } from "../io/output.ts";
import type { MachineTemplate } from "../machines/types.ts";

/** Boots a machine for containers to go on from. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Boot and keep a machine, from which containers with --isolation=hyperv start at once",
  flags: {
    cpus: { type: "uint", default: "1", help: "Processors of the containers that it is for" },
    memory: {
      type: "bytes",
      short: "m",
      help: "Memory of the containers that it is for",
      shownDefault: "256m",
    },
  },
  arity: noArgs,
  async run({ cpus, memory }, { client }) {
    const { Name } = await client.json<MachineTemplate>("POST", "/berth/machine-templates", {
      body: { Cpus: cpus, Memory: memory },
    });
    out(`${Name}\n`);
    return 0;
  },
});
