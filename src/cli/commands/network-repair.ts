import { defineCommand, noArgs } from "../command.ts";

/** Loads the packet filter's rules anew. */
export const command = defineCommand({
  usage: "",
  summary: "Load the rules of networks and published ports again, after they were flushed",
  flags: {},
  arity: noArgs,
  async run(_flags, { client }) {
    await client.call("POST", "/berth/networks/repair");
    return 0;
  },
});
