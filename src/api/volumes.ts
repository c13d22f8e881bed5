import type { VolumeCreateOptions } from "@docker/node-sdk";
import type { Context } from "./context.ts";
import { inGoOrder } from "./go-order.ts";
import type { Route } from "./router.ts";
import { decode, map, struct, text } from "./shape.ts";

const createOptions = struct<Omit<VolumeCreateOptions, "ClusterVolumeSpec">>("VolumeCreateOptions", {
  Name: text,
  Driver: text,
  DriverOpts: map(text),
  Labels: map(text),
});

async function list(context: Context): Promise<void> {
  context.json(200, await context.services.volumes.list(context.query.filters()));
}

async function create(context: Context): Promise<void> {
  const body = await context.requiredBody();
  context.json(201, await context.services.volumes.create(decode(createOptions, body)));
}

async function inspect(context: Context): Promise<void> {
  context.json(200, inGoOrder(await context.services.volumes.inspect(context.name)));
}

async function remove(context: Context): Promise<void> {
  await context.services.volumes.remove(context.name, { force: context.query.flag("force") });
  context.empty(204);
}

async function prune(context: Context): Promise<void> {
  const filters = context.query.filters();
  // Before API 1.42 named volumes were pruned too.
  if (context.version < 42) filters.all = ["true"];
  context.json(200, await context.services.volumes.prune(filters));
}

/** Volumes. */
export const volumeRoutes: Route[] = [
  { method: "GET", path: "/volumes", handle: list },
  { method: "POST", path: "/volumes/create", handle: create },
  { method: "POST", path: "/volumes/prune", handle: prune },
  { method: "GET", path: "/volumes/{name}", handle: inspect },
  { method: "DELETE", path: "/volumes/{name}", handle: remove },
];
