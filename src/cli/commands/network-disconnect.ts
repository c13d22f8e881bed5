import { defineCommand, exactly } from "../command.ts";

/** Disconnects a container from a network. */
export const command = defineCommand({
  usage: "[OPTIONS] NETWORK CONTAINER",
  summary: "Disconnect a container from a network",
  flags: { force: { type: "bool", short: "f", help: "Do it even if the container is gone" } },
  arity: exactly(2),
  completes: "network",
  async run(flags, { args: [network = "", container = ""], client }) {
    await client.call("POST", `/networks/${encodeURIComponent(network)}/disconnect`, {
      body: { Container: container, Force: flags.force },
    });
    return 0;
  },
});
