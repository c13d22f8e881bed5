import type { LogLine, WaitCondition } from "../engine/types.ts";
import { invalid } from "../lib/errors.ts";
import { openAttachment } from "./attachment.ts";
import { BatchWriter } from "./batch.ts";
import type { Context } from "./context.ts";
import { frame } from "./frames.ts";
import { pump } from "./pump.ts";
import type { Route } from "./router.ts";

async function attach(context: Context): Promise<void> {
  const { attachment, stdin, detachKeys } = await openAttachment(context);
  await pump(await context.hijack(!attachment.tty), attachment, { stdin, detachKeys });
}

function waitCondition(context: Context): WaitCondition {
  const condition = context.version >= 30 ? context.query.text("condition") : undefined;
  switch (condition) {
    case undefined:
    case "not-running":
      return "not-running";
    case "next-exit":
    case "removed":
      return condition;
    default:
      throw invalid(`invalid condition: ${JSON.stringify(condition)}`);
  }
}

async function wait(context: Context): Promise<void> {
  const { containers } = context.services;
  const { done } = await containers.wait(context.name, waitCondition(context), context.signal);
  if (context.version >= 30) context.begin("application/json");
  const outcome = await done;
  if (context.signal.aborted) return;
  const body = { ...(context.version < 44 ? { Error: null } : {}), ...outcome };
  if (context.version < 30) context.json(200, body);
  else context.response.end(`${JSON.stringify(body)}\n`);
}

function tailLines(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Docker's rendering of a log line's attributes: sorted, key=value, percent-encoded. */
function details(attrs: Record<string, string> | undefined): string {
  if (!attrs) return "";
  const pairs = Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return pairs.map((pair) => new URLSearchParams([pair]).toString()).join(",");
}

function renderLine(line: LogLine, timestamps: boolean, withDetails: boolean): Buffer {
  if (!timestamps && !withDetails) return line.line;
  let prefix = timestamps ? `${line.timestamp} ` : "";
  if (withDetails) prefix += `${details(line.attrs)} `;
  return Buffer.concat([Buffer.from(prefix), line.line]);
}

async function logs(context: Context): Promise<void> {
  const { query } = context;
  const stdout = query.flag("stdout");
  const stderr = query.flag("stderr");
  if (!stdout && !stderr) throw invalid("Bad parameters: you must choose at least one stream");
  const options = {
    stdout,
    stderr,
    follow: query.flag("follow"),
    since: query.time("since"),
    until: query.time("until"),
    tail: tailLines(query.text("tail")),
  };
  const timestamps = query.flag("timestamps");
  const withDetails = query.flag("details");
  const { tty, lines } = await context.services.containers.logs(context.name, options, context.signal);
  const multiplexed = !tty && context.version >= 42;
  context.begin(`application/vnd.docker.${multiplexed ? "multiplexed" : "raw"}-stream`);
  const batch = new BatchWriter(context);
  for await (const line of lines) {
    if (context.signal.aborted) return;
    const data = renderLine(line, timestamps, withDetails);
    const full = batch.write(tty ? data : frame(line.stream, data));
    if (full) await full;
  }
  await batch.flush();
  context.response.end();
}

async function stats(context: Context): Promise<void> {
  const stream = context.query.flag("stream", true);
  const oneShot = context.version >= 41 && context.query.flag("one-shot");
  const samples = await context.services.containers.stats(context.name, { stream, oneShot }, context.signal);
  if (stream) context.begin("application/json");
  for await (const sample of samples) {
    if (context.signal.aborted) return;
    if (!stream) {
      context.json(200, sample);
      return;
    }
    await context.write(`${JSON.stringify(sample)}\n`);
  }
  context.response.end();
}

/** Containers: what lasts as long as they run. */
export const streamRoutes: Route[] = [
  { method: "POST", path: "/containers/{name}/attach", handle: attach, upgrade: true },
  { method: "POST", path: "/containers/{name}/wait", handle: wait },
  { method: "GET", path: "/containers/{name}/logs", handle: logs },
  { method: "GET", path: "/containers/{name}/stats", handle: stats },
];
