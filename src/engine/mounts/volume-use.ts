import { lstatSync, mkdirSync, readdirSync, type Stats } from "node:fs";
import { join, relative } from "node:path";
import { BerthError, invalid } from "../../lib/errors.ts";
import { FileWorkError } from "../../lib/file-worker.ts";
import { makeDirectories } from "../../lib/make-directories.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import type { ContainerRecord, MountRecord } from "../record.ts";
import { wantedMounts } from "./mounts.ts";
import { checkPropagation } from "./propagation.ts";

/** Ids of the containers that have a volume, by its name. */
export function volumeUsers(containers: readonly Container[]): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { id, record } of containers) {
    const volumes = record.mounts.filter(({ Type }) => Type === "volume");
    for (const name of new Set(volumes.map((mount) => mount.Name))) {
      if (name) users.set(name, [...(users.get(name) ?? []), id]);
    }
  }
  return users;
}

/**
 * Decides a new container's mounts, makes the volumes they need and fills those that are empty with what
 * the image has in their place. What was made is removed again when that fails.
 */
export async function makeMounts(
  context: EngineContext,
  container: Container,
  image: string[],
): Promise<void> {
  const { record } = container;
  const wanted = wantedMounts(record.hostConfig, record.config, (ref) => mountsOf(context, ref));
  if (wanted.length === 0) return;
  const mounts: MountRecord[] = [];
  try {
    for (const { record: mount, volume } of wanted) {
      if (mount.Type === "image") mounts.push(await resolveImage(context, mount));
      else if (!volume) mounts.push(mount);
      else {
        const { name } = context.volumes.ensure(volume);
        mounts.push({ ...mount, Name: name, Source: context.volumes.directory(name) });
      }
    }
    record.mounts = mounts;
    context.table.save(container);
    for (const [index, { copyUp }] of wanted.entries()) {
      const mount = mounts[index];
      if (copyUp && mount) await fillVolume(context, container, mount, image);
    }
  } catch (error) {
    record.mounts = [];
    await removeAnonymous(context, mounts);
    throw error;
  }
}

/** The image as it is called now; a later one of the name is another. */
async function resolveImage(context: EngineContext, mount: MountRecord): Promise<MountRecord> {
  if (mount.imageId) return mount;
  const { Name = "" } = mount;
  try {
    return { ...mount, imageId: (await context.images.resolve(Name)).id };
  } catch (error) {
    // Not NOT_FOUND, which clients take for the container's own image.
    if (error instanceof BerthError && error.code === "NOT_FOUND") throw invalid(error.message, error);
    throw error;
  }
}

async function imageLayers(
  context: EngineContext,
  { imageId = "", subpath = "" }: MountRecord,
): Promise<NonNullable<MountRecord["layers"]>> {
  const { layers } = await context.images.resolve(imageId);
  const { root } = context.state.paths;
  const found = layers.map((layer) => statOf(join(layer, subpath))).find((entry) => entry !== undefined);
  if (!found) throw inaccessible(subpath);
  // Overlay wants two.
  const empty = join(root, "empty");
  if (layers.length === 1) mkdirSync(empty, { recursive: true, mode: 0o755 });
  const all = layers.length === 1 ? [...layers, empty] : layers;
  const paths = all.map((layer) => relative(root, layer));
  return { paths, kind: found.isDirectory() || found.isSymbolicLink() ? "directory" : "file" };
}

/** What is there, not following a link; undefined for nothing, also below a file. */
function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}

const inaccessible = (path: string): BerthError =>
  invalid(`cannot access path ${path}: no such file or directory`);

/** What `makeMounts` would record, without making anything. */
export function plannedMounts(context: EngineContext, record: ContainerRecord): MountRecord[] {
  const wanted = wantedMounts(record.hostConfig, record.config, (ref) => mountsOf(context, ref));
  return wanted.map(({ record: mount, volume }) =>
    volume ? { ...mount, Source: context.volumes.directory(mount.Name || record.id) } : mount,
  );
}

function mountsOf(context: EngineContext, ref: string): readonly MountRecord[] {
  const found = context.table.find(ref);
  if (!found) throw invalid(`No such container: ${ref}`);
  return found.record.mounts;
}

async function fillVolume(
  context: EngineContext,
  container: Container,
  { Name = "", Source = "", Destination = "" }: MountRecord,
  image: string[],
): Promise<void> {
  const [, top = ""] = Destination.split("/");
  // Most volumes are mounted where the image has nothing.
  if (!image.some((layer) => lstatSync(join(layer, top), { throwIfNoEntry: false }))) return;
  await context.volumes.fill(Name, container.id, async () => {
    if (readdirSync(Source).length === 0) await copyTree(context, image, Destination, Source);
  });
}

/** Copies what the image has in a directory, which need not be there, with owners, modes and times. */
async function copyTree(
  context: EngineContext,
  image: string[],
  path: string,
  directory: string,
): Promise<void> {
  const layers = image.flatMap((layer) => ["lower", layer]);
  const from = await context.files.start([...layers, "pack", `${path}/.`, "."]);
  const to = await context.files.start(["directory", directory, "put", "/", "d", "0", "0"]);
  from.archive.pipe(to.stdin);
  const unpacked = Array.fromAsync(to.lines);
  try {
    // When one side fails the other waits for it for ever.
    await Promise.all([Array.fromAsync(from.lines), unpacked]);
  } catch (error) {
    from.kill();
    to.kill();
    await Promise.allSettled([unpacked]);
    if (!(error instanceof FileWorkError && ["ENOENT", "ENOTDIR"].includes(error.code))) throw error;
  }
}

/** Before a start: makes the sources of `-v` that are missing and mounts volumes that need it. */
export async function acquireMounts(context: EngineContext, container: Container): Promise<void> {
  for (const mount of container.record.mounts) {
    const { Type, Name = "", Source = "", Destination = "" } = mount;
    if (Type === "volume") {
      await context.volumes.acquire(Name, container.id);
      if (mount.subpath && !statOf(join(Source, mount.subpath)))
        throw inaccessible(join(Source, mount.subpath));
      context.events.publish("volume", "mount", Name, {
        driver: "local",
        container: container.id,
        destination: Destination,
        "read/write": String(mount.RW ?? true),
        propagation: "",
      });
    } else if (Type === "image") {
      mount.layers = await imageLayers(context, mount);
    } else if (Type === "bind") {
      if (mount.createSource) makeSource(Source);
      checkPropagation(Source, mount.Propagation ?? "");
    }
  }
}

function makeSource(path: string): void {
  try {
    makeDirectories(path, 0o755);
  } catch (error) {
    // It may be a file, a socket or a device.
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return;
    throw new BerthError("SYSTEM", `error while creating mount source path '${path}': ${String(error)}`, {
      cause: error,
    });
  }
}

/** After the end. Runs twice without harm. */
export async function releaseMounts(context: EngineContext, container: Container): Promise<void> {
  for (const { Type, Name = "" } of container.record.mounts) {
    if (Type === "volume" && (await context.volumes.release(Name, container.id))) {
      context.events.publish("volume", "unmount", Name, { driver: "local", container: container.id });
    }
  }
}

/** For a container that was found running. */
export function adoptMounts(context: EngineContext, container: Container): void {
  for (const { Type, Name = "" } of container.record.mounts) {
    if (Type === "volume") context.volumes.adopt(Name, container.id);
  }
}

/** Removes the volumes that were made for a container alone, but for those another one took over. */
export async function removeAnonymous(context: EngineContext, mounts: readonly MountRecord[]): Promise<void> {
  for (const { Name = "", anonymous } of mounts) if (anonymous) await context.volumes.removeUnused(Name);
}
