import type { ContainerSummary } from "@docker/node-sdk";
import { BerthError, invalid } from "../lib/errors.ts";
import { humanDuration } from "../lib/human.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { matchesLabel } from "./events.ts";
import { mountPoint } from "./inspect.ts";
import { networkNames, networkSettings, summaryPorts } from "./network/settings.ts";
import type { Filters, ListOptions } from "./types.ts";

const STATUSES = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];
const HEALTHS = ["starting", "healthy", "unhealthy", "none"];
const KNOWN = new Set([
  "ancestor",
  "before",
  "expose",
  "exited",
  "health",
  "id",
  "is-task",
  "isolation",
  "label",
  "label!",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
]);

/** Those of `docker ps` that the options ask for, newest first. */
export async function selectContainers(context: EngineContext, options: ListOptions): Promise<Container[]> {
  const filters = options.filters ?? {};
  checkFilters(filters);
  const test = await compile(context, filters);
  const newestFirst = context.table.containers().reverse();
  const limit = options.limit && options.limit > 0 ? options.limit : Number.POSITIVE_INFINITY;
  const all = options.all || limit !== Number.POSITIVE_INFINITY || impliesAll(filters);
  return newestFirst
    .filter((container) => (all || container.running || container.status === "restarting") && test(container))
    .slice(0, limit);
}

/** A filter on states that do not run asks for those, `-a` or not. */
const impliesAll = (filters: Filters): boolean =>
  (filters.status?.length ?? 0) > 0 ||
  (filters.exited?.length ?? 0) > 0 ||
  !!filters.before ||
  !!filters.since;

function checkFilters(filters: Filters): void {
  for (const name of Object.keys(filters)) if (!KNOWN.has(name)) throw invalid(`invalid filter '${name}'`);
  for (const status of filters.status ?? []) {
    if (!STATUSES.includes(status)) throw invalid(`invalid filter 'status=${status}'`);
  }
  for (const health of filters.health ?? []) {
    if (!HEALTHS.includes(health)) throw invalid(`invalid filter 'health=${health}'`);
  }
  for (const value of filters["is-task"] ?? []) {
    if (!/^(true|false|0|1)$/.test(value)) throw invalid(`invalid filter 'is-task=${value}'`);
  }
  for (const name of ["publish", "expose"]) {
    for (const ports of filters[name] ?? []) {
      if (PORTS.test(ports)) continue;
      throw invalid(
        `error while looking up for ${name} ${ports}: strconv.ParseUint: parsing "${ports}": invalid syntax`,
      );
    }
  }
  for (const code of filters.exited ?? []) {
    if (!/^-?\d+$/.test(code)) throw invalid(`invalid filter 'exited=${code}'`);
  }
}

type Test = (container: Container) => boolean;

async function compile(context: EngineContext, filters: Filters): Promise<Test> {
  const tests: Test[] = [];
  for (const [name, values] of Object.entries(filters)) {
    if (values.length > 0) tests.push(await compileOne(context, name, values));
  }
  return (container) => tests.every((test) => test(container));
}

async function compileOne(context: EngineContext, name: string, values: string[]): Promise<Test> {
  switch (name) {
    case "id":
      return ({ id }) => values.some((value) => id.startsWith(value) || matchesPattern(id, value));
    case "name":
      return ({ record }) =>
        values.some(
          (value) => matchesPattern(`/${record.name}`, value) || matchesPattern(record.name, value),
        );
    case "status":
      return ({ status }) => values.includes(status);
    case "exited":
      return ({ status, record }) => status === "exited" && values.includes(String(record.state.exitCode));
    case "health":
      return ({ record }) => values.includes(record.state.health?.Status ?? "none");
    case "label":
      return ({ record }) => values.every((value) => matchesLabel(record.config.Labels ?? {}, value));
    case "label!":
      return ({ record }) => values.every((value) => !matchesLabel(record.config.Labels ?? {}, value));
    case "before":
    case "since":
      return compileOrder(context, name, values);
    case "ancestor":
      return compileAncestor(context, values);
    case "volume":
      return ({ record }) =>
        values.some((value) =>
          record.mounts.some((mount) => mount.Name === value || mount.Destination === value),
        );
    case "network":
      return compileNetwork(context, values);
    case "expose":
      return ({ record }) =>
        values.some((value) => matchesPort(Object.keys(record.config.ExposedPorts ?? {}), value));
    case "publish":
      return (container) => {
        const ports = (summaryPorts(container) ?? []).flatMap(({ PublicPort, Type }) =>
          PublicPort === undefined ? [] : [`${PublicPort}/${Type}`],
        );
        return values.some((value) => matchesPort(ports, value));
      };
    case "is-task":
      return () => values.every((value) => value === "false" || value === "0");
    default:
      return () => true;
  }
}

function compileNetwork(context: EngineContext, values: string[]): Test {
  const wanted = new Set(values.map((value) => context.networks.find(value)?.name ?? value));
  return (container) => networkNames(context, container).some((name) => wanted.has(name));
}

function compileOrder(context: EngineContext, name: string, values: string[]): Test {
  const order = new Map(context.table.all().map((container, index) => [container, index]));
  const positions = values.map((value) => order.get(context.table.get(value)) ?? 0);
  return (container) => {
    const own = order.get(container) ?? 0;
    return positions.every((position) => (name === "before" ? own < position : own > position));
  };
}

/** Containers of an image or of one that descends from it: made from it, or with layers on top of its own. */
async function compileAncestor(context: EngineContext, values: string[]): Promise<Test> {
  const wanted: { id: string; layers: string[] }[] = [];
  for (const value of values) {
    const image = await unlessMissing(context.images.resolve(value));
    if (image) wanted.push({ id: image.id, layers: image.layers.toReversed() });
  }
  const lines = new Map<string, string[]>();
  for (const imageId of new Set(context.table.containers().map(({ record }) => record.imageId)))
    lines.set(imageId, await lineOf(context, imageId));
  return ({ id, record }) => {
    const line = lines.get(record.imageId) ?? [record.imageId];
    const own = context.images.layersOf(id).toReversed();
    return wanted.some(
      (image) =>
        line.includes(image.id) ||
        (own.length > image.layers.length && image.layers.every((layer, index) => own[index] === layer)),
    );
  };
}

/** An image and those it was made from, as far as they are known. */
async function lineOf(context: EngineContext, imageId: string): Promise<string[]> {
  const line = [imageId];
  for (let next = await unlessMissing(context.images.inspect(imageId)); next?.Parent; ) {
    line.push(next.Parent);
    next = await unlessMissing(context.images.inspect(next.Parent));
  }
  return line;
}

async function unlessMissing<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof BerthError && error.code === "NOT_FOUND") return null;
    throw error;
  }
}

/** What `docker ps` calls the images of containers: by the name they were made from while that still means them. */
export class ImageTitles {
  readonly #context: EngineContext;
  readonly #ids = new Map<string, Promise<string | undefined>>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  async of({ record }: Container): Promise<string> {
    const name = record.config.Image ?? "";
    if (name === "" || name === record.imageId) return name;
    const known = this.#ids.get(name);
    const id = known ?? unlessMissing(this.#context.images.inspect(name)).then((image) => image?.Id);
    if (!known) this.#ids.set(name, id);
    return (await id) === record.imageId ? name : record.imageId;
  }
}

function matchesPattern(text: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch {
    // Not a regular expression: dockerd then compares as text.
    return text === pattern;
  }
}

const PORTS = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/;

/** "80", "80/tcp" or "8000-8010/udp" against "80/tcp". */
function matchesPort(ports: string[], wanted: string): boolean {
  const match = PORTS.exec(wanted);
  if (!match) return false;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  const protocol = match[3] ?? "tcp";
  return ports.some((port) => {
    const [number, own = "tcp"] = port.split("/");
    return own === protocol && Number(number) >= from && Number(number) <= to;
  });
}

/** What others call a container that they are linked to. */
function linkNames(context: EngineContext, id: string): string[] {
  return context.table
    .linking(id)
    .flatMap(({ record: { name, links = [] } }) =>
      links.filter((link) => link.id === id).map(({ alias }) => `/${name}/${alias}`),
    );
}

/** A row of `docker ps`. */
export function summarize(context: EngineContext, container: Container): ContainerSummary {
  const { record } = container;
  return {
    Id: record.id,
    Names: [`/${record.name}`, ...linkNames(context, record.id)],
    Image: record.config.Image ?? "",
    ImageID: record.imageId,
    Command: commandText([record.path, ...record.args]),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: summaryPorts(container),
    Labels: record.config.Labels ?? {},
    State: record.state.status,
    Status: statusText(container),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode },
    NetworkSettings: { Networks: networkSettings(context, container).Networks },
    Mounts: record.mounts.map(mountPoint),
  };
}

/** As dockerd joins the words: those with blanks in single quotes. */
const commandText = (words: string[]): string =>
  words.map((word) => (word.includes(" ") ? `'${word}'` : word)).join(" ");

/** "Up 3 seconds (healthy)", "Exited (0) 2 minutes ago", "Created". */
export function statusText({ record }: Container): string {
  const { state } = record;
  const since = (time: string): string => humanDuration(Date.now() - Date.parse(time));
  switch (state.status) {
    case "running": {
      const health = state.health?.Status;
      const note =
        !health || health === "none" ? "" : health === "starting" ? " (health: starting)" : ` (${health})`;
      return `Up ${since(state.startedAt)}${note}`;
    }
    case "paused":
      return `Up ${since(state.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "created":
      return "Created";
    default:
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
  }
}
