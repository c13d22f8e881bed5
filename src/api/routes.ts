import { archiveRoutes } from "./archive.ts";
import { buildRoutes } from "./build.ts";
import { cgroupRoutes } from "./cgroups.ts";
import { containerRoutes } from "./containers.ts";
import { execRoutes } from "./exec.ts";
import { explainRoutes } from "./explain.ts";
import { imageRoutes } from "./images.ts";
import { machineRoutes } from "./machines.ts";
import { networkRoutes } from "./networks.ts";
import { registryRoutes } from "./registry.ts";
import type { Route } from "./router.ts";
import { streamRoutes } from "./streams.ts";
import { swarmRoutes } from "./swarm.ts";
import { systemRoutes } from "./system.ts";
import { volumeRoutes } from "./volumes.ts";
import { websocketRoutes } from "./websocket.ts";

/** Every route of the API, a table per resource. */
export const routes: Route[][] = [
  systemRoutes,
  containerRoutes,
  streamRoutes,
  archiveRoutes,
  buildRoutes,
  cgroupRoutes,
  execRoutes,
  explainRoutes,
  imageRoutes,
  machineRoutes,
  networkRoutes,
  registryRoutes,
  volumeRoutes,
  swarmRoutes,
  websocketRoutes,
];
