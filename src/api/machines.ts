import type { HostConfig } from "@docker/node-sdk";
import type { MachineRequest } from "../engine/machines/types.ts";
import { parseDetachKeys } from "../lib/detach-keys.ts";
import { BatchWriter } from "./batch.ts";
import type { Context } from "./context.ts";
import { execConfig } from "./exec.ts";
import { pump } from "./pump.ts";
import type { Route } from "./router.ts";
import { decode, integer, list as listOf, map, nullable, struct, text, word } from "./shape.ts";

const binding = struct<{ HostIp?: string; HostPort?: string }>("PortBinding", {
  HostIp: text,
  HostPort: text,
});

const machineRequest = struct<MachineRequest>("MachineRequest", {
  Image: text,
  Disk: text,
  Memory: integer,
  Cpus: integer,
  DiskSize: integer,
  RestartPolicy: struct<NonNullable<HostConfig["RestartPolicy"]>>("RestartPolicy", {
    Name: word(),
    MaximumRetryCount: integer,
  }),
  Network: text,
  PortBindings: map(nullable(listOf(binding, "[]PortBinding"))),
  Labels: map(text),
});

async function list(context: Context): Promise<void> {
  context.json(200, await context.services.machines.list());
}

async function create(context: Context): Promise<void> {
  const request = decode(machineRequest, await context.requiredBody());
  const name = context.query.text("name") ?? "";
  context.json(201, await context.services.machines.create(name, request));
}

async function inspect(context: Context): Promise<void> {
  context.json(200, await context.services.machines.inspect(context.name));
}

async function start(context: Context): Promise<void> {
  await context.services.machines.start(context.name);
  context.empty(204);
}

async function stop(context: Context): Promise<void> {
  await context.services.machines.stop(context.name, { timeout: context.query.integer("t") });
  context.empty(204);
}

async function restart(context: Context): Promise<void> {
  await context.services.machines.restart(context.name, { timeout: context.query.integer("t") });
  context.empty(204);
}

async function remove(context: Context): Promise<void> {
  await context.services.machines.remove(context.name, { force: context.query.flag("force") });
  context.empty(204);
}

async function attach(context: Context): Promise<void> {
  const keys = context.query.text("detachKeys");
  const attachment = await context.services.machines.console(context.name);
  const detachKeys = keys === undefined ? undefined : parseDetachKeys(keys);
  await pump(await context.hijack(false), attachment, { stdin: true, detachKeys });
}

async function exec(context: Context): Promise<void> {
  const config = decode(execConfig, await context.requiredBody());
  context.json(201, await context.services.machines.exec(context.name, config));
}

async function logs(context: Context): Promise<void> {
  const { query, services, signal } = context;
  const tail = query.text("tail");
  const options = {
    stdout: true,
    stderr: true,
    follow: query.flag("follow"),
    tail: tail !== undefined && /^\d+$/.test(tail) ? Number(tail) : undefined,
  };
  const lines = await services.machines.logs(context.name, options, signal);
  context.begin("application/vnd.docker.raw-stream");
  const batch = new BatchWriter(context);
  for await (const { line } of lines) {
    if (signal.aborted) return;
    const full = batch.write(line);
    if (full) await full;
  }
  await batch.flush();
  context.response.end();
}

const templateRequest = struct<{ Memory?: number; Cpus?: number }>("MachineTemplateRequest", {
  Memory: integer,
  Cpus: integer,
});

async function templates(context: Context): Promise<void> {
  context.json(200, await context.services.machines.templates());
}

async function createTemplate(context: Context): Promise<void> {
  const size = decode(templateRequest, (await context.body()) ?? {});
  context.json(201, await context.services.machines.createTemplate(size));
}

async function removeTemplate(context: Context): Promise<void> {
  await context.services.machines.removeTemplate(context.name);
  context.empty(204);
}

async function snapshots(context: Context): Promise<void> {
  context.json(200, await context.services.machines.snapshots(context.name));
}

const snapshotName = (context: Context): string => context.query.text("snapshot") ?? "";

async function createSnapshot(context: Context): Promise<void> {
  await context.services.machines.createSnapshot(context.name, snapshotName(context));
  context.empty(201);
}

async function restoreSnapshot(context: Context): Promise<void> {
  await context.services.machines.restoreSnapshot(context.name, snapshotName(context));
  context.empty(204);
}

async function removeSnapshot(context: Context): Promise<void> {
  await context.services.machines.removeSnapshot(context.name, snapshotName(context));
  context.empty(204);
}

/** Berth's own: whole virtual machines. */
export const machineRoutes: Route[] = [
  { method: "GET", path: "/berth/machines", handle: list },
  { method: "POST", path: "/berth/machines", handle: create },
  { method: "GET", path: "/berth/machines/{name}/json", handle: inspect },
  { method: "POST", path: "/berth/machines/{name}/start", handle: start },
  { method: "POST", path: "/berth/machines/{name}/stop", handle: stop },
  { method: "POST", path: "/berth/machines/{name}/restart", handle: restart },
  { method: "POST", path: "/berth/machines/{name}/console", handle: attach, upgrade: true },
  { method: "POST", path: "/berth/machines/{name}/exec", handle: exec },
  { method: "GET", path: "/berth/machines/{name}/logs", handle: logs },
  { method: "GET", path: "/berth/machines/{name}/snapshots", handle: snapshots },
  { method: "POST", path: "/berth/machines/{name}/snapshots", handle: createSnapshot },
  { method: "POST", path: "/berth/machines/{name}/snapshots/restore", handle: restoreSnapshot },
  { method: "DELETE", path: "/berth/machines/{name}/snapshots", handle: removeSnapshot },
  { method: "DELETE", path: "/berth/machines/{name}", handle: remove },
  { method: "GET", path: "/berth/machine-templates", handle: templates },
  { method: "POST", path: "/berth/machine-templates", handle: createTemplate },
  { method: "DELETE", path: "/berth/machine-templates/{name}", handle: removeTemplate },
];
