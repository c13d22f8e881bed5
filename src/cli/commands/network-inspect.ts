import type { ContainerSummary } from "@docker/node-sdk";
import { text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { inspectAll, inspectFormatFlag } from "../inspect.ts";
import { out } from "../io/output.ts";
import { drawNetwork } from "../network-tree.ts";

/** Shows all that is known of networks. */
export const command = defineCommand({
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  summary: "Show everything about networks",
  flags: {
    format: inspectFormatFlag,
    tree: { type: "bool", help: "Draw who is connected, with addresses and ports" },
    verbose: { type: "bool", short: "v", help: "Show more, for diagnosis" },
  },
  arity: atLeast(1),
  completes: "network",
  async run(flags, { args, client }) {
    const get = async (name: string) => {
      const { body } = await client.request("GET", `/networks/${encodeURIComponent(name)}`, {
        query: { verbose: flags.verbose ? true : undefined },
      });
      return await text(body);
    };
    if (flags.tree) {
      const containers = await client.json<ContainerSummary[]>("GET", "/containers/json");
      for (const name of args) out(drawNetwork(JSON.parse(await get(name)), containers));
      return 0;
    }
    return await inspectAll(args, get, flags.format);
  },
});
