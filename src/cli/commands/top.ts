import type { ContainerTopResponse } from "@docker/node-sdk";
import { atLeast, defineCommand } from "../command.ts";
import { alignColumns } from "../format/columns.ts";
import { out } from "../io/output.ts";

/** Lists the processes of a container. */
export const command = defineCommand({
  usage: "CONTAINER [ps OPTIONS]",
  summary: "List the processes of a container",
  aliases: ["container top", "top"],
  flags: {},
  arity: atLeast(1),
  flagsFirst: true,
  completes: "container",
  async run(_flags, { args: [name = "", ...options], client }) {
    const { Titles, Processes } = await client.json<ContainerTopResponse>(
      "GET",
      `/containers/${encodeURIComponent(name)}/top`,
      { query: { ps_args: options.length > 0 ? options.join(" ") : undefined } },
    );
    const lines = [Titles ?? [], ...(Processes ?? [])].map((cells) => `${cells.join("\t")}\n`);
    out(alignColumns(lines.join(""), { minWidth: 20, padding: 3 }));
    return 0;
  },
});
