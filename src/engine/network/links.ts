import type { HostConfig } from "@docker/node-sdk";
import { conflict, invalid } from "../../lib/errors.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import type { ContainerRecord, LinkRecord } from "../record.ts";
import { sharedWith } from "../spec/namespaces.ts";
import { parsePort } from "./ports.ts";

/** "other" or "other:alias", as `--link` takes it. */
export function parseLink(text: string): { target: string; alias: string } {
  const [target = "", alias = target] = text.replace(/^\//, "").split(":");
  return { target, alias: alias.split("/").at(-1) ?? alias };
}

/**
 * The links of a new container on the default bridge; the others are found by this id whatever they are
 * called later. Throws INVALID_PARAMETER with dockerd's words.
 */
export function newLinks(context: EngineContext, { Links, NetworkMode }: HostConfig): LinkRecord[] {
  if (NetworkMode !== "bridge") return [];
  return (Links ?? []).map((text) => {
    const { target, alias } = parseLink(text);
    let other = context.table.find(target);
    // Not NOT_FOUND, which clients take for the image's.
    if (!other) throw invalid(`could not get container for ${target}: No such container: ${target}`);
    for (let mode = sharedWith(other.record.hostConfig.NetworkMode); mode !== null; ) {
      other = context.table.get(mode);
      mode = sharedWith(other.record.hostConfig.NetworkMode);
    }
    if (other.record.hostConfig.NetworkMode === "host")
      throw invalid(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      );
    return { id: other.id, alias };
  });
}

/** A link whose other side runs. */
export interface LiveLink {
  alias: string;
  address: string;
  other: ContainerRecord;
}

/** The links of a container that leads somewhere now. */
export function liveLinks(context: EngineContext, { record }: Container): LiveLink[] {
  return (record.links ?? []).flatMap(({ id, alias }) => {
    const other = context.table.find(id)?.record;
    const address = other && bridgeAddress(context, other);
    return other && address ? [{ alias, address, other }] : [];
  });
}

function bridgeAddress(context: EngineContext, { state }: ContainerRecord): string | undefined {
  const home = context.networks.find("bridge");
  return state.network?.endpoints.find(({ networkId }) => networkId === home?.id)?.ipv4;
}

/** Before a start. Throws dockerd's words for a link that leads nowhere. */
export function checkLinks(context: EngineContext, { record }: Container): void {
  for (const { id, alias } of record.links ?? []) {
    const other = context.table.find(id);
    if (!other) continue;
    if (!other.running)
      throw conflict(
        `Cannot link to a non running container: /${other.record.name} AS /${record.name}/${alias}`,
      );
    if (bridgeAddress(context, other.record) === undefined)
      throw invalid(`container ${other.id} not attached to default bridge network`);
  }
}

/** The variables that tell a container of those it is linked to, named as Docker names them. */
export function linkVariables(context: EngineContext, container: Container): string[] {
  return liveLinks(context, container).flatMap((link) => variablesOf(link, container.record.name));
}

/** Exported for its test. */
export function variablesOf({ alias, address, other }: LiveLink, own: string): string[] {
  const prefix = alias.toUpperCase().replaceAll("-", "_");
  const ports = Object.keys(other.config.ExposedPorts ?? {})
    .map(parsePort)
    .sort((a, b) => a.port - b.port || (a.protocol === "tcp" ? -1 : 1));
  const [first] = ports;
  const variables = first ? [`${prefix}_PORT=${first.protocol}://${address}:${first.port}`] : [];
  for (const range of neighbours(ports)) {
    const [begin, end] = [range.at(0), range.at(-1)];
    if (!begin || !end || begin === end) continue;
    const of = (port: number): string => `${prefix}_PORT_${port}_${begin.protocol.toUpperCase()}`;
    variables.push(
      `${of(begin.port)}_START=${begin.protocol}://${address}:${begin.port}`,
      `${of(begin.port)}_ADDR=${address}`,
      `${of(begin.port)}_PROTO=${begin.protocol}`,
      `${of(begin.port)}_PORT_START=${begin.port}`,
      `${of(begin.port)}_END=${end.protocol}://${address}:${end.port}`,
      `${of(begin.port)}_PORT_END=${end.port}`,
    );
  }
  for (const { port, protocol } of ports) {
    const name = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    variables.push(
      `${name}=${protocol}://${address}:${port}`,
      `${name}_ADDR=${address}`,
      `${name}_PORT=${port}`,
      `${name}_PROTO=${protocol}`,
    );
  }
  variables.push(`${prefix}_NAME=/${own}/${alias}`);
  for (const variable of other.config.Env ?? []) {
    const [name = "", ...value] = variable.split("=");
    if (value.length === 0 || name === "HOME" || name === "PATH") continue;
    variables.push(`${prefix}_ENV_${name}=${value.join("=")}`);
  }
  return variables;
}

type Port = ReturnType<typeof parsePort>;

/** Runs of ports that follow each other. */
function neighbours(ports: readonly Port[]): Port[][] {
  const runs: Port[][] = [];
  for (const port of ports) {
    const last = runs.at(-1)?.at(-1);
    if (last && last.protocol === port.protocol && last.port + 1 === port.port) runs.at(-1)?.push(port);
    else runs.push([port]);
  }
  return runs;
}

/** "/other:/own/alias" for each link, as `docker inspect` shows them. */
export function shownLinks(context: EngineContext, { links, name }: ContainerRecord): string[] {
  return (links ?? []).flatMap(({ id, alias }) => {
    const other = context.table.find(id);
    return other ? [`/${other.record.name}:/${name}/${alias}`] : [];
  });
}

/** Takes a link away: `docker rm --link own/alias`. False when there is none of the name. */
export function removeLink(context: EngineContext, ref: string): boolean {
  const [name = "", alias] = ref.replace(/^\//, "").split("/");
  const container = alias === undefined ? null : context.table.find(name);
  const kept = container?.record.links?.filter((link) => link.alias !== alias);
  if (!container || !kept || kept.length === container.record.links?.length) return false;
  container.record.links = kept;
  context.table.save(container);
  return true;
}
