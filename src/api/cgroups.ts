import type { Context } from "./context.ts";
import type { Route } from "./router.ts";
import { decode, integer, list as listOf, struct, text } from "./shape.ts";

const limitShapes = {
  Memory: integer,
  MemorySwap: integer,
  MemoryReservation: integer,
  NanoCpus: integer,
  CpuShares: integer,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpusetCpus: text,
  CpusetMems: text,
  PidsLimit: integer,
};

interface Limits {
  Memory?: number;
  MemorySwap?: number;
  MemoryReservation?: number;
  NanoCpus?: number;
  CpuShares?: number;
  CpuPeriod?: number;
  CpuQuota?: number;
  CpusetCpus?: string;
  CpusetMems?: string;
  PidsLimit?: number;
}

const limits = struct<Limits>("CgroupLimits", limitShapes);
const createOptions = struct<Limits & { Path?: string }>("CgroupCreateOptions", {
  Path: text,
  ...limitShapes,
});
const processes = struct<{ Pids?: number[] }>("CgroupProcesses", { Pids: listOf(integer, "[]int") });

async function body(context: Context): Promise<unknown> {
  const given = await context.requiredBody();
  return given;
}

async function tree(context: Context): Promise<void> {
  context.json(200, await context.services.cgroups.tree(context.query.text("path") || "/"));
}

async function inspect(context: Context): Promise<void> {
  context.json(200, await context.services.cgroups.inspect(context.name));
}

async function create(context: Context): Promise<void> {
  const { Path = "", ...wish } = decode(createOptions, await body(context));
  context.json(201, await context.services.cgroups.create(Path, wish));
}

async function update(context: Context): Promise<void> {
  const wish = decode(limits, await body(context));
  context.json(200, await context.services.cgroups.update(context.name, wish));
}

async function put(context: Context): Promise<void> {
  const { Pids = [] } = decode(processes, await body(context));
  await context.services.cgroups.put(context.name, Pids);
  context.empty(204);
}

async function remove(context: Context): Promise<void> {
  await context.services.cgroups.remove(context.name, { force: context.query.flag("force") });
  context.empty(204);
}

/** Berth's own: the machine's control groups, with or without containers in them. */
export const cgroupRoutes: Route[] = [
  { method: "GET", path: "/berth/cgroups", handle: tree },
  { method: "POST", path: "/berth/cgroups", handle: create },
  { method: "GET", path: "/berth/cgroups/{name}/json", handle: inspect },
  { method: "POST", path: "/berth/cgroups/{name}/update", handle: update },
  { method: "POST", path: "/berth/cgroups/{name}/processes", handle: put },
  { method: "DELETE", path: "/berth/cgroups/{name}", handle: remove },
];
