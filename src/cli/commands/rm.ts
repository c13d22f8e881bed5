import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";
import { CliError } from "../errors.ts";

/** Removes containers. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Remove containers",
  aliases: ["container rm", "container remove", "rm"],
  flags: {
    force: { type: "bool", short: "f", help: "Remove a running container too, killing it" },
    link: { type: "bool", short: "l", help: "Remove a link, not a container" },
    volumes: { type: "bool", short: "v", help: "Remove the container's anonymous volumes with it" },
  },
  arity: atLeast(1),
  completes: "container",
  async run(flags, { args, client }) {
    return await forEachArgument(
      args,
      async (name) => {
        const path = name.replace(/^\/+|\/+$/g, "");
        if (path === "") throw new CliError("container name cannot be empty");
        await client.call("DELETE", `/containers/${encodeURIComponent(path)}`, {
          query: {
            force: flags.force ? 1 : undefined,
            v: flags.volumes ? 1 : undefined,
            link: flags.link ? 1 : undefined,
          },
        });
      },
      // With --force a container that is gone is what was asked for.
      { ignore: (error) => flags.force && error.status === 404 },
    );
  },
});
