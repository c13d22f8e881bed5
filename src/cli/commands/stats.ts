import type { ContainerSummary, EventMessage } from "@docker/node-sdk";
import type { Client } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { CliError, errorMessage } from "../errors.ts";
import { formatFlag } from "../flags/filters.ts";
import { chooseFormat, formatRows } from "../format/rows.ts";
import { emptyStats, type StatsRow, statsListing, toRow } from "../format/stats.ts";
import { out } from "../io/output.ts";
import { jsonTexts } from "../io/progress.ts";

const refresh = 500;

/** Shows what containers use, live. */
export const command = defineCommand({
  usage: "[OPTIONS] [CONTAINER...]",
  summary: "Show what containers use, live",
  aliases: ["container stats", "stats"],
  flags: {
    all: { type: "bool", short: "a", help: "Show stopped containers too" },
    format: formatFlag,
    "no-stream": { type: "bool", help: "Show it once" },
    "no-trunc": { type: "bool", help: "Show everything in full" },
  },
  arity: atLeast(0),
  completes: "container",
  async run(flags, { args, client }) {
    const rows = new Map<string, StatsRow>();
    const once = flags["no-stream"];
    const listing = statsListing(flags["no-trunc"]);
    const format = chooseFormat(listing, flags.format, false);
    let ended = false;
    const follow = (name: string) => collect(client, name, rows, once);
    if (args.length === 0) {
      if (!once)
        watch(client, rows, flags.all, follow).then(
          () => (ended = true),
          () => (ended = true),
        );
      const list = await client.json<ContainerSummary[]>("GET", "/containers/json", {
        query: { all: flags.all ? 1 : undefined },
      });
      await Promise.all(list.map(({ Id = "" }) => follow(Id.slice(0, 12))));
    } else {
      await Promise.all(args.map(follow));
      const errors = [...rows.values()].flatMap(({ error }) => (error ? [error] : []));
      if (errors.length > 0) throw new CliError(errors.join("\n"));
    }
    for (;;) {
      const text = formatRows(listing, format, [...rows.values()]);
      if (once) {
        out(text);
        return 0;
      }
      out(`\x1b[H${text.replaceAll("\n", "\x1b[K\n")}\x1b[J`);
      if (ended || (args.length > 0 && rows.size === 0)) return 0;
      await new Promise((resolve) => setTimeout(resolve, refresh));
    }
  },
});

/** Keeps a container's row up to date; resolves when it has its first values, or none to expect. */
async function collect(
  client: Client,
  name: string,
  rows: Map<string, StatsRow>,
  once: boolean,
): Promise<void> {
  if (rows.has(name)) return;
  rows.set(name, emptyStats(name));
  let first = () => {};
  const ready = new Promise<void>((resolve) => {
    first = resolve;
  });
  const read = async (): Promise<void> => {
    const { body } = await client.request("GET", `/containers/${encodeURIComponent(name)}/stats`, {
      query: { stream: once ? 0 : 1 },
    });
    let samples = 0;
    for await (const text of jsonTexts(body)) {
      if (!rows.has(name)) return;
      rows.set(name, toRow(name, JSON.parse(text)));
      // The first of a stream has nothing to compare with, and so no CPU.
      if (once || ++samples > 1) first();
    }
  };
  const fail = (error: unknown) => {
    if (rows.has(name)) rows.set(name, { ...emptyStats(name), error: errorMessage(error) });
  };
  read().catch(fail).finally(first);
  await ready;
}

/** Follows containers that come and go. */
async function watch(
  client: Client,
  rows: Map<string, StatsRow>,
  all: boolean,
  follow: (name: string) => Promise<void>,
): Promise<void> {
  const { body } = await client.request("GET", "/events", {
    query: { filters: JSON.stringify({ type: { container: true } }) },
  });
  for await (const text of jsonTexts(body)) {
    const { Action, Actor } = JSON.parse(text) as EventMessage;
    const name = Actor?.ID?.slice(0, 12) ?? "";
    if (Action === "start" || (Action === "create" && all)) {
      rows.delete(name);
      // It ends with the container, or with this program.
      follow(name).catch(() => undefined);
    } else if (Action === "destroy" || (Action === "die" && !all)) {
      rows.delete(name);
    }
  }
}
