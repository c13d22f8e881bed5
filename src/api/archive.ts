import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { PathStat } from "../engine/types.ts";
import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";
import type { Route } from "./router.ts";

function requiredPath(context: Context): string {
  const path = context.query.text("path");
  if (path === undefined) throw invalid("bad parameter: path cannot be empty");
  return path;
}

function setStat(context: Context, stat: PathStat): void {
  const { name, size, mode, mtime, linkTarget } = stat;
  const json = JSON.stringify({ name, size, mode, mtime, linkTarget });
  context.response.setHeader("X-Docker-Container-Path-Stat", Buffer.from(json).toString("base64"));
}

async function sendTar(context: Context, tar: Readable, type: string): Promise<void> {
  context.response.writeHead(200, { "Content-Type": type });
  await pipeline(tar, context.response);
}

async function stat(context: Context): Promise<void> {
  const path = requiredPath(context);
  setStat(context, await context.services.containers.statPath(context.name, path));
  context.empty(200);
}

async function get(context: Context): Promise<void> {
  const path = requiredPath(context);
  const { stat: found, tar } = await context.services.containers.getArchive(context.name, path);
  setStat(context, found);
  await sendTar(context, tar, "application/x-tar");
}

async function put(context: Context): Promise<void> {
  const { query, request } = context;
  const path = requiredPath(context);
  await context.services.containers.putArchive(context.name, path, request, {
    noOverwriteDirNonDir: query.flag("noOverwriteDirNonDir"),
    copyUidGid: query.flag("copyUIDGID"),
  });
  context.empty(200);
}

async function exportTar(context: Context): Promise<void> {
  await sendTar(context, await context.services.containers.export(context.name), "application/octet-stream");
}

/** Containers: their files as tar streams. */
export const archiveRoutes: Route[] = [
  { method: "HEAD", path: "/containers/{name}/archive", handle: stat },
  { method: "GET", path: "/containers/{name}/archive", handle: get },
  { method: "PUT", path: "/containers/{name}/archive", handle: put },
  { method: "GET", path: "/containers/{name}/export", handle: exportTar },
];
