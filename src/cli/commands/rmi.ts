import type { ImageDeleteResponseItem } from "@docker/node-sdk";
import { atLeast, defineCommand } from "../command.ts";
import { ApiError, CliError } from "../errors.ts";
import { err, out } from "../io/output.ts";
import { platformJson } from "../platform.ts";

/** Removes images. */
export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  summary: "Remove images",
  aliases: ["image rm", "image remove", "rmi"],
  flags: {
    force: { type: "bool", short: "f", help: "Remove it even when it has other names or stopped containers" },
    "no-prune": { type: "bool", help: "Keep parents that have no name" },
    platform: {
      type: "list",
      placeholder: "strings",
      help: "Remove only this platform (os[/arch[/variant]])",
    },
  },
  arity: atLeast(1),
  completes: "image",
  async run(flags, { args, client }) {
    const errors: string[] = [];
    let failed = false;
    for (const name of args) {
      try {
        const items = await client.json<ImageDeleteResponseItem[]>(
          "DELETE",
          `/images/${encodeURIComponent(name)}`,
          {
            query: {
              force: flags.force ? 1 : undefined,
              noprune: flags["no-prune"] ? 1 : undefined,
              platforms: flags.platform.length > 0 ? flags.platform.map(platformJson) : undefined,
            },
          },
        );
        for (const { Deleted, Untagged } of items)
          out(Deleted ? `Deleted: ${Deleted}\n` : `Untagged: ${Untagged}\n`);
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        errors.push(error.message);
        if (!(flags.force && error instanceof ApiError && error.status === 404)) failed = true;
      }
    }
    if (failed) throw new CliError(errors.join("\n"));
    if (errors.length > 0) err(`${errors.join("\n")}\n`);
    return 0;
  },
});
