import type { EventMessage } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";
import type { Route } from "./router.ts";

function ping(context: Context): void {
  const { request, response } = context;
  const body = request.method === "HEAD" ? "" : "OK";
  response.setHeader("Builder-Version", "1");
  response.setHeader("Swarm", "inactive");
  response.setHeader("Cache-Control", "no-cache, no-store, must-revalidate");
  response.setHeader("Pragma", "no-cache");
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.setHeader("Content-Length", body.length);
  response.end(body);
}

async function version(context: Context): Promise<void> {
  const { system, experimental } = context.services;
  const version = await system.version();
  const components = version.Components?.map((part) =>
    part.Name === "Engine"
      ? { ...part, Details: { ...part.Details, Experimental: String(experimental) } }
      : part,
  );
  context.json(200, { ...version, ...(experimental ? { Experimental: true, Components: components } : {}) });
}

async function info(context: Context): Promise<void> {
  const { system, experimental } = context.services;
  context.json(200, { ...(await system.info()), ...(experimental ? { ExperimentalBuild: true } : {}) });
}

async function diskUsage(context: Context): Promise<void> {
  const types = context.query.all("type");
  const { system, builds } = context.services;
  const usage = await system.diskUsage(types.length > 0 ? types : undefined);
  if (types.length === 0 || types.includes("build-cache")) usage.BuildCache = await builds.cache();
  context.json(200, usage);
}

async function events(context: Context): Promise<void> {
  const since = context.query.time("since");
  const until = context.query.time("until");
  if (since && until && since > until) {
    const [from, to] = [context.query.text("since"), context.query.text("until")];
    throw invalid(`\`since\` time (${from}) cannot be after \`until\` time (${to})`);
  }
  const filters = context.query.filters();
  const messages = context.services.system.events({ since, until, filters }, context.signal);
  context.begin("application/json");
  for await (const message of messages) {
    if (context.signal.aborted) break;
    await context.write(`${JSON.stringify(withLegacyFields(message))}\n`);
  }
  context.response.end();
}

/** Clients older than Type and Actor, and some newer ones, read these. */
function withLegacyFields(message: EventMessage): EventMessage {
  if (message.Type === "container") {
    return {
      ...{ status: message.Action, id: message.Actor?.ID, from: message.Actor?.Attributes?.image },
      ...message,
    };
  }
  if (message.Type === "image") return { ...{ status: message.Action, id: message.Actor?.ID }, ...message };
  return message;
}

/** Docker's plugins do not exist here; clients ask for them all the same. */
function plugins(context: Context): void {
  context.json(200, []);
}

/** The engine as a whole. */
export const systemRoutes: Route[] = [
  { method: "GET", path: "/_ping", handle: ping },
  { method: "HEAD", path: "/_ping", handle: ping },
  { method: "GET", path: "/version", handle: version },
  { method: "GET", path: "/info", handle: info },
  { method: "GET", path: "/system/df", handle: diskUsage },
  { method: "GET", path: "/events", handle: events },
  { method: "GET", path: "/plugins", handle: plugins },
];
