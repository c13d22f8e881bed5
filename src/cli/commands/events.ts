import type { EventMessage } from "@docker/node-sdk";
import { mapFields } from "../../lib/api-maps.ts";
import { defineCommand, noArgs } from "../command.ts";
import { CliError, errorMessage } from "../errors.ts";
import { encodeFilters, filterFlag } from "../flags/filters.ts";
import { toTimestamp } from "../flags/timestamp.ts";
import { parseJson } from "../format/json.ts";
import { out } from "../io/output.ts";
import { jsonTexts } from "../io/progress.ts";
import { marshal, toJson } from "../template/print.ts";
import { compileTemplate } from "../template/template.ts";

/** An event as the API sends it, the old names of fields included. */
interface Message extends EventMessage {
  status?: string;
  id?: string;
  from?: string;
}

/** Shows what happens in the engine, as it happens. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show what happens, as it happens",
  aliases: ["system events", "events"],
  flags: {
    filter: filterFlag,
    format: {
      type: "string",
      help: "How to show it:\n'json':     one JSON object per line\n'TEMPLATE': a Go template",
    },
    since: { type: "string", help: "Begin with events from this time on" },
    until: { type: "string", help: "End at this time" },
  },
  arity: noArgs,
  async run(flags, { client }) {
    const show = makeFormatter(flags.format);
    const { body } = await client.request("GET", "/events", {
      query: {
        since: flags.since ? toTimestamp(flags.since) : undefined,
        until: flags.until ? toTimestamp(flags.until) : undefined,
        filters: encodeFilters(flags.filter),
      },
    });
    for await (const text of jsonTexts(body)) out(`${show(text)}\n`);
    return 0;
  },
});

function makeFormatter(format: string): (text: string) => string {
  if (format === "") return (text) => showEvent(parseJson(text) as Message);
  const attempt = <T>(make: () => T): T => {
    try {
      return make();
    } catch (error) {
      throw new CliError(`Error parsing format: ${errorMessage(error)}`, 64);
    }
  };
  const options = { typeName: "*events.Message", maps: mapFields };
  const run = attempt(() => compileTemplate(format === "json" ? "{{json .}}" : format, options));
  // A field that no event has is found before the first event comes.
  attempt(() => run(toFields({ Actor: {} })));
  return (text) => run(toFields(parseJson(text) as Message));
}

/** An event under the names that templates use. */
function toFields(message: Message): object {
  const fields = {
    Status: message.status ?? "",
    ID: message.id ?? "",
    From: message.from ?? "",
    Type: message.Type ?? "",
    Action: message.Action ?? "",
    Actor: { ID: message.Actor?.ID ?? "", Attributes: message.Actor?.Attributes ?? {} },
    Scope: message.scope ?? "",
    Time: message.time ?? 0,
    TimeNano: message.timeNano ?? 0,
  };
  Object.defineProperty(fields, marshal, { value: () => toJson(message) });
  return fields;
}

function showEvent({ Type, Action, Actor, time, timeNano }: Message): string {
  const attributes = Object.entries(Actor?.Attributes ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  const when = timeNano ? nanoTime(BigInt(timeNano)) : nanoTime(BigInt(time ?? 0) * 1_000_000_000n);
  const list = attributes.length > 0 ? ` (${attributes.join(", ")})` : "";
  return `${when} ${Type} ${Action} ${Actor?.ID}${list}`;
}

/** A local time with nanoseconds, as RFC 3339 has it. */
function nanoTime(nanos: bigint): string {
  const date = new Date(Number(nanos / 1_000_000n));
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const fraction = String(nanos % 1_000_000_000n).padStart(9, "0");
  const two = (value: number): string => String(Math.trunc(value)).padStart(2, "0");
  const minutes = Math.abs(offset);
  const zone = offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
  return `${local}.${fraction}${zone}`;
}
