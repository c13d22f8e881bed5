import { atMost, defineCommand } from "../command.ts";
import { eraseCredentials, hub } from "../credentials.ts";
import { out } from "../io/output.ts";

/** Forgets the credentials of a registry. */
export const command = defineCommand({
  usage: "[SERVER]",
  summary: "Log out from a registry, Docker Hub by default",
  flags: {},
  arity: atMost(1),
  async run(_flags, { args: [server = ""] }) {
    const registry = server === "" || server === "docker.io" ? hub : server;
    out(`Removing login credentials for ${registry}\n`);
    await eraseCredentials(registry);
    return 0;
  },
});
