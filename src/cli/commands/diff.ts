import type { FilesystemChange } from "@docker/node-sdk";
import { defineCommand, exactly } from "../command.ts";
import { out } from "../io/output.ts";

const kinds = ["C", "A", "D"];

/** Lists what a container changed in its filesystem. */
export const command = defineCommand({
  usage: "CONTAINER",
  summary: "List what a container changed in its filesystem",
  aliases: ["container diff", "diff"],
  flags: {},
  arity: exactly(1),
  completes: "container",
  async run(_flags, { args: [name = ""], client }) {
    const changes = await client.json<FilesystemChange[] | null>(
      "GET",
      `/containers/${encodeURIComponent(name)}/changes`,
    );
    out((changes ?? []).map(({ Kind, Path }) => `${kinds[Kind] ?? "?"} ${Path}\n`).join(""));
    return 0;
  },
});
