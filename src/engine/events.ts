import type { EventMessage } from "@docker/node-sdk";
import { Channel } from "../lib/channel.ts";
import { nowNanos } from "../lib/time.ts";
import type { EventsOptions, Filters } from "./types.ts";

/** As many past events as dockerd keeps for `since`. */
const KEPT = 256;

/** Events that wait for a client who does not read; older ones are dropped then. */
const WAITING = 8192;

/** Docker's types, and one for what Docker has not got. */
type EventType = NonNullable<EventMessage["Type"]> | "machine";

/** Publishes what happens in the engine and replays the recent past. */
export class EventBus {
  readonly #past: EventMessage[] = [];
  readonly #listeners = new Set<(event: EventMessage) => void>();

  publish(type: EventType, action: string, id: string, attributes: Record<string, string> = {}): void {
    const nanos = nowNanos();
    const event: EventMessage = {
      Type: type as EventMessage["Type"],
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: "local",
      time: Number(nanos / 1_000_000_000n),
      timeNano: Number(nanos),
    };
    this.#past.push(event);
    if (this.#past.length > KEPT) this.#past.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** How many clients listen now (NEventsListener of /info). */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Past events from `since`, then live ones until `until` or the signal. */
  subscribe(options: EventsOptions = {}, signal?: AbortSignal): AsyncIterable<EventMessage> {
    const { since, until, filters = {} } = options;
    const untilMs = until?.getTime() ?? Number.POSITIVE_INFINITY;
    const past = since || until ? this.#past.filter((event) => matches(event, filters, since, untilMs)) : [];
    let timer: NodeJS.Timeout | undefined;
    const channel = new Channel<EventMessage>({
      signal,
      limit: WAITING,
      onClose: () => {
        this.#listeners.delete(listener);
        clearTimeout(timer);
      },
    });
    const listener = (event: EventMessage): void => {
      if (matches(event, filters, since, untilMs)) channel.push(event);
    };
    for (const event of past) channel.push(event);
    if (channel.closed) return channel;
    const left = untilMs - Date.now();
    if (left <= 0) {
      channel.close();
      return channel;
    }
    this.#listeners.add(listener);
    // setTimeout cannot wait longer than 2^31 ms; such a client is gone by then.
    if (left < 2 ** 31) timer = setTimeout(() => channel.close(), left).unref();
    return channel;
  }
}

function matches(event: EventMessage, filters: Filters, since: Date | undefined, untilMs: number): boolean {
  // Whole milliseconds, since the limits have no more.
  const ms = Math.floor((event.timeNano ?? 0) / 1e6);
  if (since && ms < since.getTime()) return false;
  if (ms > untilMs) return false;
  return Object.entries(filters).every(
    ([name, values]) => values.length === 0 || matchesFilter(event, name, values),
  );
}

/** Actions that carry more than their name: "exec_start: sh -c …", "health_status: healthy". */
const PREFIXED = new Set(["health_status", "exec_create", "exec_start"]);

function matchesFilter(event: EventMessage, name: string, values: string[]): boolean {
  const attributes = event.Actor?.Attributes ?? {};
  const id = event.Actor?.ID ?? "";
  const action = event.Action ?? "";
  switch (name) {
    case "event":
      return values.some((value) => PREFIXED.has(value))
        ? values.some((value) => action.startsWith(value))
        : values.includes(action);
    case "type":
      return values.includes(event.Type ?? "");
    case "scope":
      return values.includes(event.scope ?? "local");
    case "label":
      return values.every((value) => matchesLabel(attributes, value));
    case "image":
      return matchesImage(values, id, (event.Type === "image" ? attributes.name : attributes.image) ?? "");
    case "container":
    case "volume":
    case "network":
    case "daemon":
    case "plugin":
    case "service":
    case "node":
    case "secret":
    case "config":
      // As in dockerd the kind of the actor is left to the filter "type".
      return values.some((value) => id.startsWith(value) || (attributes.name ?? "").startsWith(value));
    default:
      return true;
  }
}

/** By id or name, either with its tag or without. */
const matchesImage = (values: string[], id: string, name: string): boolean =>
  [id, name, stripTag(id), stripTag(name)].some((candidate) => values.includes(candidate));

const stripTag = (reference: string): string => reference.replace(/:[^:/]+$/, "");

/** Docker's label filter: "key" or "key=value". */
export function matchesLabel(labels: Record<string, string>, filter: string): boolean {
  const at = filter.indexOf("=");
  return at < 0 ? filter in labels : labels[filter.slice(0, at)] === filter.slice(at + 1);
}
