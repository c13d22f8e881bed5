import type {
  IPAM,
  IPAMConfig,
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkDisconnectRequest,
} from "@docker/node-sdk";
import { invalid, notFound } from "../lib/errors.ts";
import type { Context } from "./context.ts";
import { endpointSettings } from "./create-request.ts";
import { inGoOrder } from "./go-order.ts";
import type { Route } from "./router.ts";
import { decode, flag, list as listOf, map, struct, text } from "./shape.ts";

const createRequest = struct<NetworkCreateRequest>("CreateRequest", {
  Name: text,
  Driver: text,
  Scope: text,
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: struct("ConfigReference", { Network: text }),
  IPAM: struct<IPAM>("IPAM", {
    Driver: text,
    Options: map(text),
    Config: listOf(
      struct<IPAMConfig>("IPAMConfig", {
        Subnet: text,
        IPRange: text,
        Gateway: text,
        AuxiliaryAddresses: map(text),
      }),
      "[]IPAMConfig",
    ),
  }),
  EnableIPv4: flag,
  EnableIPv6: flag,
  Options: map(text),
  Labels: map(text),
});

const connectRequest = struct<NetworkConnectRequest>("ConnectOptions", {
  Container: text,
  EndpointConfig: endpointSettings,
});

const disconnectRequest = struct<NetworkDisconnectRequest>("DisconnectOptions", {
  Container: text,
  Force: flag,
});

async function list(context: Context): Promise<void> {
  context.json(200, await context.services.networks.list(context.query.filters()));
}

async function inspect(context: Context): Promise<void> {
  const scope = context.query.text("scope");
  if (scope && scope !== "local") throw notFound(`network ${context.name} not found`);
  context.json(200, inGoOrder(await context.services.networks.inspect(context.name)));
}

async function create(context: Context): Promise<void> {
  const request = decode(createRequest, await context.requiredBody());
  // IPv4 could not be chosen before.
  if (context.version < 48) delete request.EnableIPv4;
  context.json(201, await context.services.networks.create(request));
}

async function connect(context: Context): Promise<void> {
  const { Container = "", EndpointConfig } = decode(connectRequest, await context.requiredBody());
  if (Container === "") throw invalid("container name or ID is required");
  // Such addresses were of the container as a whole before.
  if (context.version < 44) delete EndpointConfig?.MacAddress;
  await context.services.networks.connect(context.name, Container, EndpointConfig ?? {});
  context.empty(200);
}

async function disconnect(context: Context): Promise<void> {
  const { Container = "", Force } = decode(disconnectRequest, await context.requiredBody());
  await context.services.networks.disconnect(context.name, Container, { force: Force ?? false });
  context.empty(200);
}

async function remove(context: Context): Promise<void> {
  await context.services.networks.remove(context.name);
  context.empty(204);
}

async function prune(context: Context): Promise<void> {
  context.json(200, await context.services.networks.prune(context.query.filters()));
}

async function repair(context: Context): Promise<void> {
  await context.services.networks.repair();
  context.empty(204);
}

/** Networks. */
export const networkRoutes: Route[] = [
  { method: "GET", path: "/networks", handle: list },
  { method: "POST", path: "/networks/create", handle: create },
  { method: "POST", path: "/networks/prune", handle: prune },
  { method: "GET", path: "/networks/{name}", handle: inspect },
  { method: "DELETE", path: "/networks/{name}", handle: remove },
  { method: "POST", path: "/networks/{name}/connect", handle: connect },
  { method: "POST", path: "/networks/{name}/disconnect", handle: disconnect },
  { method: "POST", path: "/berth/networks/repair", handle: repair },
];
