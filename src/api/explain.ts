import type { Context } from "./context.ts";
import { adaptCreateRequest } from "./create-compat.ts";
import { createRequest } from "./create-request.ts";
import type { Route } from "./router.ts";
import { decode } from "./shape.ts";

async function launch(context: Context): Promise<void> {
  const body = await context.requiredBody();
  const request = decode(createRequest, body);
  adaptCreateRequest(request, context.version);
  context.json(200, await context.services.explain.launch(request));
}

async function container(context: Context): Promise<void> {
  context.json(200, await context.services.explain.container(context.name));
}

/** Berth's own: what a launch would do, and what the kernel says of a running container. */
export const explainRoutes: Route[] = [
  { method: "POST", path: "/berth/explain", handle: launch },
  { method: "GET", path: "/berth/containers/{name}/explain", handle: container },
];
