import type { StopOptions } from "../engine/types.ts";
import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";
import { adaptCreateRequest } from "./create-compat.ts";
import { createRequest, updateRequest } from "./create-request.ts";
import { inGoOrder } from "./go-order.ts";
import type { Route } from "./router.ts";
import { decode } from "./shape.ts";

async function list(context: Context): Promise<void> {
  const { query } = context;
  const limit = query.integer("limit");
  const containers = await context.services.containers.list({
    all: query.flag("all"),
    limit: limit !== undefined && limit > 0 ? limit : undefined,
    size: query.flag("size"),
    filters: query.filters(),
  });
  context.json(200, containers);
}

async function create(context: Context): Promise<void> {
  const { query } = context;
  const body = await context.requiredBody();
  const request = decode(createRequest, body);
  if (!Object.keys(request).some((key) => key !== "HostConfig" && key !== "NetworkingConfig")) {
    throw invalid("Config cannot be empty in order to create a container");
  }
  const warnings = adaptCreateRequest(request, context.version);
  const created = await context.services.containers.create(request, {
    name: query.text("name"),
    platform: context.version >= 41 ? query.text("platform") : undefined,
  });
  context.json(201, { Id: created.Id, Warnings: [...(created.Warnings ?? []), ...warnings] });
}

async function inspect(context: Context): Promise<void> {
  const size = context.query.flag("size");
  context.json(200, inGoOrder(await context.services.containers.inspect(context.name, { size })));
}

async function start(context: Context): Promise<void> {
  const { headers } = context.request;
  // A JSON object that says something has more than seven characters; "null" and "{}" are let pass.
  if (Number(headers["content-length"] ?? 0) > 7 || headers["transfer-encoding"] !== undefined) {
    throw invalid(
      "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
    );
  }
  await context.services.containers.start(context.name);
  context.empty(204);
}

function stopOptions(context: Context): StopOptions {
  return {
    signal: context.version >= 42 ? context.query.text("signal") : undefined,
    timeout: context.query.integer("t"),
  };
}

async function stop(context: Context): Promise<void> {
  await context.services.containers.stop(context.name, stopOptions(context));
  context.empty(204);
}

async function restart(context: Context): Promise<void> {
  await context.services.containers.restart(context.name, stopOptions(context));
  context.empty(204);
}

async function kill(context: Context): Promise<void> {
  await context.services.containers.kill(context.name, context.query.text("signal"));
  context.empty(204);
}

async function pause(context: Context): Promise<void> {
  await context.services.containers.pause(context.name);
  context.empty(204);
}

async function unpause(context: Context): Promise<void> {
  await context.services.containers.unpause(context.name);
  context.empty(204);
}

async function rename(context: Context): Promise<void> {
  await context.services.containers.rename(context.name, context.query.text("name") ?? "");
  context.empty(204);
}

async function update(context: Context): Promise<void> {
  const request = decode(updateRequest, await context.requiredBody());
  if (context.version < 40) delete request.PidsLimit;
  // 0 and any negative number mean no limit.
  if (request.PidsLimit && request.PidsLimit < 0) request.PidsLimit = 0;
  context.json(200, await context.services.containers.update(context.name, request));
}

async function remove(context: Context): Promise<void> {
  const { query } = context;
  await context.services.containers.remove(context.name, {
    force: query.flag("force"),
    volumes: query.flag("v"),
    link: query.flag("link"),
  });
  context.empty(204);
}

async function prune(context: Context): Promise<void> {
  context.json(200, await context.services.containers.prune(context.query.filters()));
}

async function resize(context: Context): Promise<void> {
  const { query } = context;
  const size = { height: query.requiredInteger("h"), width: query.requiredInteger("w") };
  await context.services.containers.resize(context.name, size);
  context.empty(200);
}

async function top(context: Context): Promise<void> {
  context.json(200, await context.services.containers.top(context.name, context.query.text("ps_args")));
}

async function commit(context: Context): Promise<void> {
  const { query } = context;
  const body = await context.body();
  const config = body === undefined || body === null ? {} : decode(createRequest, body);
  const { Id } = await context.services.containers.commit(query.text("container") ?? "", {
    repo: query.text("repo"),
    tag: query.text("tag"),
    comment: query.text("comment"),
    author: query.text("author"),
    pause: query.flag("pause", true),
    changes: query.all("changes"),
    config,
  });
  context.json(201, { Id });
}

async function changes(context: Context): Promise<void> {
  context.json(200, await context.services.containers.changes(context.name));
}

/** Containers: their life and what can be asked of them at once. */
export const containerRoutes: Route[] = [
  { method: "GET", path: "/containers/json", handle: list },
  { method: "POST", path: "/containers/create", handle: create },
  { method: "POST", path: "/containers/prune", handle: prune },
  { method: "GET", path: "/containers/{name}/json", handle: inspect },
  { method: "POST", path: "/containers/{name}/start", handle: start },
  { method: "POST", path: "/containers/{name}/stop", handle: stop },
  { method: "POST", path: "/containers/{name}/restart", handle: restart },
  { method: "POST", path: "/containers/{name}/kill", handle: kill },
  { method: "POST", path: "/containers/{name}/pause", handle: pause },
  { method: "POST", path: "/containers/{name}/unpause", handle: unpause },
  { method: "POST", path: "/containers/{name}/rename", handle: rename },
  { method: "POST", path: "/containers/{name}/update", handle: update },
  { method: "POST", path: "/containers/{name}/resize", handle: resize },
  { method: "GET", path: "/containers/{name}/top", handle: top },
  { method: "POST", path: "/commit", handle: commit },
  { method: "GET", path: "/containers/{name}/changes", handle: changes },
  { method: "DELETE", path: "/containers/{name}", handle: remove },
];
