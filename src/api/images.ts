import { pipeline } from "node:stream/promises";
import type { ImageInspect, ImageSummary } from "@docker/node-sdk";
import type { ImageExtras } from "../image/index.ts";
import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";
import { inGoOrder } from "./go-order.ts";
import { imageConfigFor } from "./image-config.ts";
import { ProgressStream } from "./progress.ts";
import { registryAuth } from "./registry.ts";
import type { Route } from "./router.ts";

/** Until 1.43 images without a name had these, and until 1.44 there was a second size. */
function summaryFor(version: number, image: ImageSummary): ImageSummary {
  const nameless = image.RepoTags.length === 0 && image.RepoDigests.length === 0;
  return {
    ...image,
    ...(version < 43 && nameless ? { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] } : {}),
    ...(version < 44 ? { VirtualSize: image.Size } : {}),
  };
}

async function list(context: Context): Promise<void> {
  const { query, version } = context;
  const filters = query.filters();
  const reference = version < 41 ? query.text("filter") : undefined;
  const images = await context.services.images.list({
    all: query.flag("all"),
    filters: reference === undefined ? filters : { ...filters, reference: [reference] },
    sharedSize: version >= 42 && query.flag("shared-size"),
  });
  context.json(
    200,
    images.map((image) => summaryFor(version, image)),
  );
}

function inspectFor(version: number, image: ImageInspect): object {
  return {
    ...image,
    Config: imageConfigFor(version, image.Config ?? {}),
    ...(version < 44 ? { VirtualSize: image.Size } : {}),
  };
}

function extrasOf({ annotations, provenance }: ImageExtras): object {
  return {
    ...(annotations.length > 0 ? { Annotations: annotations } : {}),
    ...(provenance ? { Provenance: provenance } : {}),
  };
}

async function inspect(context: Context): Promise<void> {
  const { images } = context.services;
  const image = await images.inspect(context.name);
  // Docker knows no such fields; only who asks for them gets them.
  const extras = context.query.flag("extras") ? extrasOf(await images.extras(context.name)) : {};
  context.json(200, inGoOrder({ ...inspectFor(context.version, image), ...extras }));
}

async function history(context: Context): Promise<void> {
  const items = await context.services.images.history(context.name);
  context.json(
    200,
    // Docker has null for steps that have no name.
    items.map((item) => ({ ...item, Tags: item.Tags.length > 0 ? item.Tags : null })),
  );
}

async function tag(context: Context): Promise<void> {
  const { query } = context;
  await context.services.images.tag(context.name, query.text("repo") ?? "", query.text("tag"));
  context.empty(201);
}

async function remove(context: Context): Promise<void> {
  if (context.name.trim() === "") throw invalid("image name cannot be blank");
  const { query } = context;
  const deleted = await context.services.images.remove(context.name, {
    force: query.flag("force"),
    noprune: query.flag("noprune"),
  });
  context.json(200, deleted);
}

async function prune(context: Context): Promise<void> {
  const pruned = await context.services.images.prune(context.query.filters());
  context.json(200, { ImagesDeleted: pruned.ImagesDeleted ?? null, SpaceReclaimed: pruned.SpaceReclaimed });
}

async function load(context: Context): Promise<void> {
  const { query } = context;
  const progress = new ProgressStream(context);
  progress.begin();
  await progress.run(async () => {
    await context.services.images.load(context.request, {
      quiet: query.flag("quiet", true),
      platform: context.version >= 48 ? query.text("platform") : undefined,
      onProgress: (line) => progress.send(line),
    });
  });
}

async function save(context: Context): Promise<void> {
  const names = context.name === "" ? context.query.all("names") : [context.name];
  const tar = await context.services.images.save(names);
  context.response.writeHead(200, { "Content-Type": "application/x-tar" });
  await pipeline(tar, context.response);
}

async function create(context: Context): Promise<void> {
  const source = context.query.text("fromSrc");
  const image = context.query.text("fromImage");
  if (image !== undefined) await pull(context, image);
  else if (source !== undefined) await importImage(context, source);
  else throw invalid("one of fromImage and fromSrc must be given");
}

async function pull(context: Context, image: string): Promise<void> {
  const { query, request, signal } = context;
  const tag = query.text("tag");
  // A digest takes the place of a tag.
  const separator = tag?.startsWith("sha256:") ? "@" : ":";
  const progress = new ProgressStream(context);
  await progress.run(async () => {
    await context.services.images.pull(tag === undefined ? image : `${image}${separator}${tag}`, {
      credentials: registryAuth(request),
      platform: context.version >= 32 ? query.text("platform") : undefined,
      allTags: tag === undefined,
      onProgress: (line) => progress.send(line),
      signal,
    });
  });
}

async function push(context: Context): Promise<void> {
  const tag = context.query.text("tag");
  const progress = new ProgressStream(context);
  await progress.run(async () => {
    await context.services.images.push(tag === undefined ? context.name : `${context.name}:${tag}`, {
      credentials: registryAuth(context.request),
      allTags: tag === undefined,
      onProgress: (line) => progress.send(line),
      signal: context.signal,
    });
  });
}

async function importImage(context: Context, source: string): Promise<void> {
  const { query } = context;
  const progress = new ProgressStream(context);
  await progress.run(async () => {
    const tar = source === "-" ? context.request : await download(source, progress);
    const id = await context.services.images.import(tar, {
      repo: query.text("repo"),
      tag: query.text("tag"),
      changes: query.all("changes"),
      message: query.text("message"),
      platform: context.version >= 32 ? query.text("platform") : undefined,
    });
    progress.send({ status: id });
  });
}

async function download(source: string, progress: ProgressStream): Promise<AsyncIterable<Buffer>> {
  const address = /^https?:\/\//.test(source) ? source : `http://${source}`;
  if (!URL.canParse(address)) throw invalid(`invalid URL ${JSON.stringify(source)}`);
  progress.send({ status: `Downloading from ${address}` });
  const answer = await fetch(address);
  if (!answer.ok || !answer.body) throw invalid(`${address} answered ${answer.status} ${answer.statusText}`);
  return buffers(answer.body);
}

async function* buffers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of source) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

async function check(context: Context): Promise<void> {
  context.json(200, await context.services.images.check({ repair: context.query.flag("repair") }));
}

/** Images: what is kept, and archives in and out. */
export const imageRoutes: Route[] = [
  { method: "GET", path: "/images/json", handle: list },
  { method: "POST", path: "/images/create", handle: create },
  { method: "POST", path: "/images/load", handle: load },
  { method: "POST", path: "/images/prune", handle: prune },
  { method: "POST", path: "/berth/images/check", handle: check },
  { method: "GET", path: "/images/get", handle: save },
  { method: "GET", path: "/images/{name}/get", handle: save },
  { method: "GET", path: "/images/{name}/json", handle: inspect },
  { method: "GET", path: "/images/{name}/history", handle: history },
  { method: "POST", path: "/images/{name}/tag", handle: tag },
  { method: "POST", path: "/images/{name}/push", handle: push },
  { method: "DELETE", path: "/images/{name}", handle: remove },
];
