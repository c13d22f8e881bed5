import { BerthError } from "../lib/errors.ts";
import type { Method, Route } from "./router.ts";

function notManager(): never {
  throw new BerthError(
    "UNAVAILABLE",
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node ' +
      "to swarm and try again.",
  );
}

function noSwarm(): never {
  throw new BerthError(
    "NOT_IMPLEMENTED",
    "Berth runs containers on one machine: swarm mode does not exist here",
  );
}

const row = (method: Method, path: string): Route => ({ method, path, handle: notManager });

/** Swarm mode does not exist here; its routes answer as those of a machine that is in no swarm. */
export const swarmRoutes: Route[] = [
  { method: "POST", path: "/swarm/init", handle: noSwarm },
  { method: "POST", path: "/swarm/join", handle: noSwarm },
  row("GET", "/swarm"),
  row("GET", "/swarm/unlockkey"),
  row("POST", "/swarm/leave"),
  row("POST", "/swarm/update"),
  row("POST", "/swarm/unlock"),
  row("GET", "/nodes"),
  row("GET", "/nodes/{name}"),
  row("DELETE", "/nodes/{name}"),
  row("POST", "/nodes/{name}/update"),
  row("GET", "/services"),
  row("POST", "/services/create"),
  row("GET", "/services/{name}"),
  row("GET", "/services/{name}/logs"),
  row("POST", "/services/{name}/update"),
  row("DELETE", "/services/{name}"),
  row("GET", "/tasks"),
  row("GET", "/tasks/{name}"),
  row("GET", "/tasks/{name}/logs"),
  row("GET", "/secrets"),
  row("POST", "/secrets/create"),
  row("GET", "/secrets/{name}"),
  row("DELETE", "/secrets/{name}"),
  row("POST", "/secrets/{name}/update"),
  row("GET", "/configs"),
  row("POST", "/configs/create"),
  row("GET", "/configs/{name}"),
  row("DELETE", "/configs/{name}"),
  row("POST", "/configs/{name}/update"),
];
