import type { ImageDeleteResponseItem, ImagePruneResponse } from "@docker/node-sdk";
import { conflict } from "../lib/errors.ts";
import { parseTime } from "../lib/parse-time.ts";
import type { ImageContext } from "./context.ts";
import { createdSeconds, shortId } from "./document.ts";
import { booleanFilter, checkFilters, hasLabels } from "./filters.ts";
import { findImage, isIdOf } from "./find.ts";
import { chainIds } from "./layers.ts";
import type { ImageRecord } from "./records.ts";
import {
  canonical,
  familiar,
  familiarRepository,
  parseReference,
  repositoryOf,
  splitStored,
  withDefaultTag,
} from "./reference.ts";
import type { ImageFilters } from "./types.ts";

/** One name of an image: a tag or a digest of a repository. */
interface Name {
  repository: string;
  tag?: string;
  digest?: string;
}

type Deleted = ImageDeleteResponseItem[];

/** See `Images.remove`. */
export async function removeImage(
  context: ImageContext,
  ref: string,
  options: { force?: boolean; noprune?: boolean } = {},
): Promise<Deleted> {
  const record = findImage(context.records, ref);
  const force = options.force ?? false;
  const deleted: Deleted = [];
  const byId = isIdOf(record.id, ref);
  if (byId) {
    if (isOneName(namesOf(context, record.id))) {
      checkChildren(context, record.id);
      checkUsers(context, record.id, { stopped: !force });
      for (const name of namesOf(context, record.id)) untag(context, record.id, name, deleted);
    }
  } else if (!untagOne(context, record.id, ref, force, deleted)) {
    return deleted;
  }
  // It comes again at this moment and gets another name.
  if (context.records.isArriving(record.id)) return deleted;
  // After its last name is gone an image goes too, unless somebody uses it.
  if (!byId && context.records.hasChildren(record.id)) return deleted;
  if (!byId && usersOf(context, record.id).some(({ running }) => running || !force)) return deleted;
  checkChildren(context, record.id);
  checkUsers(context, record.id, { running: true });
  if (!force && namesOf(context, record.id).length > 0) {
    throw refuse(record.id, false, "image is referenced in multiple repositories");
  }
  checkUsers(context, record.id, { stopped: !force });
  await deleteImage(context, record, deleted, { parents: !options.noprune });
  return deleted;
}

/** Removes the name that `ref` is. Returns whether it was the last one. */
function untagOne(context: ImageContext, id: string, ref: string, force: boolean, deleted: Deleted): boolean {
  const [user] = usersOf(context, id);
  if (!force && user && isOneName(namesOf(context, id))) {
    throw conflict(
      `conflict: unable to remove repository reference "${ref}" (must force) - container ${shortId(user.containerId)} is using its referenced image ${shortId(id)}`,
    );
  }
  const reference = withDefaultTag(parseReference(ref));
  const repository = repositoryOf(reference);
  // With a digest the tag says nothing more.
  const { digest } = reference;
  untag(
    context,
    id,
    digest === undefined ? { repository, tag: reference.tag } : { repository, digest },
    deleted,
  );
  const rest = namesOf(context, id);
  const last = !rest.some((name) => name.tag !== undefined && name.repository === repository);
  if (digest === undefined && last) {
    // A repository's digests are of no use without a tag of it.
    for (const name of rest) if (name.repository === repository) untag(context, id, name, deleted);
  }
  return namesOf(context, id).length === 0;
}

function namesOf(context: ImageContext, id: string): Name[] {
  const { tags, digests } = context.records.names(id);
  return [...tags.map(splitStored), ...digests];
}

/** Whether all names are of one repository, with one tag at most. */
function isOneName(names: Name[]): boolean {
  const repositories = new Set(names.map(({ repository }) => repository));
  return repositories.size === 1 && names.filter(({ tag }) => tag !== undefined).length <= 1;
}

function untag(context: ImageContext, id: string, name: Name, deleted: Deleted): void {
  const { repository, tag, digest } = name;
  if (digest !== undefined) context.records.removeDigest(repository, digest);
  else {
    const members = context.extras.members(`${repository}:${tag}`);
    context.records.removeTag(`${repository}:${tag}`);
    for (const member of members) if (member !== id) dropMember(context, member, deleted);
  }
  const short = familiarRepository(repository);
  deleted.push({ Untagged: digest === undefined ? `${short}:${tag}` : `${short}@${digest}` });
  context.emit({ action: "untag", id, attributes: { name: id } });
}

/** Removes an image of another platform when the last name that it went by is gone. Its layers are collected later. */
function dropMember(context: ImageContext, id: string, deleted: Deleted): void {
  const isNamed = namesOf(context, id).length > 0 || context.extras.isMember(id);
  if (isNamed || usersOf(context, id).length > 0 || !context.records.get(id)) return;
  context.records.delete(id);
  deleted.push({ Deleted: id });
}

const usersOf = (context: ImageContext, id: string) =>
  context.users().filter(({ imageId }) => imageId === id);

function checkUsers(
  context: ImageContext,
  id: string,
  check: { running?: boolean; stopped?: boolean },
): void {
  const users = usersOf(context, id);
  const running = users.find((user) => user.running);
  if (running) {
    throw refuse(id, true, `image is being used by running container ${shortId(running.containerId)}`);
  }
  const [stopped] = users;
  if (check.stopped && stopped) {
    throw refuse(id, false, `image is being used by stopped container ${shortId(stopped.containerId)}`);
  }
}

function checkChildren(context: ImageContext, id: string): void {
  if (context.records.hasChildren(id)) throw refuse(id, true, "image has dependent child images");
}

function refuse(id: string, hard: boolean, why: string): Error {
  const force = hard ? "cannot be forced" : "must be forced";
  return conflict(`conflict: unable to delete ${shortId(id)} (${force}) - ${why}`);
}

/**
 * Deletes an image with all its names and the layers that nothing else needs. With `parents` also those it
 * was committed from, up to the first that somebody can still want. Resolves with the bytes that are free.
 */
async function deleteImage(
  context: ImageContext,
  record: ImageRecord,
  deleted: Deleted,
  { parents }: { parents: boolean },
): Promise<number> {
  const parent = context.records.parentOf(record.id);
  for (const name of namesOf(context, record.id)) untag(context, record.id, name, deleted);
  const own = context.layers.of("image", record.id);
  const chains = chainIds(own.map(({ diffId }) => diffId));
  context.records.delete(record.id);
  context.emit({ action: "delete", id: record.id, attributes: { name: record.id } });
  deleted.push({ Deleted: record.id });
  const gone = await context.layers.collect();
  const ids = new Set(gone.map(({ id }) => id));
  for (let i = own.length - 1; i >= 0; i--) {
    const layer = own[i];
    if (layer && ids.has(layer.id)) deleted.push({ Deleted: chains[i] });
  }
  const freed = gone.reduce((sum, layer) => sum + layer.size, 0);
  const next = parents && parent !== undefined && isForgotten(context, parent) && context.records.get(parent);
  return next ? freed + (await deleteImage(context, next, deleted, { parents })) : freed;
}

/** Without a name, a container or an image that was made from it. */
function isForgotten(context: ImageContext, id: string): boolean {
  const { records } = context;
  if (records.isArriving(id)) return false;
  return namesOf(context, id).length === 0 && !records.hasChildren(id) && usersOf(context, id).length === 0;
}

const pruneFilters = ["dangling", "label", "label!", "until"];

/** See `Images.prune`. */
export async function pruneImages(
  context: ImageContext,
  filters: ImageFilters = {},
): Promise<ImagePruneResponse> {
  checkFilters(filters, pruneFilters);
  const danglingOnly = booleanFilter(filters, "dangling") ?? true;
  const until = Math.min(...(filters.until ?? []).map((value) => parseTime(value).getTime()));
  const deleted: Deleted = [];
  let space = 0;
  const used = new Set(context.users().map(({ imageId }) => imageId));
  for (const record of context.records.all()) {
    const labels = record.document.config?.Labels ?? {};
    if (context.records.isArriving(record.id)) continue;
    if (used.has(record.id) || createdSeconds(record.document) * 1000 >= until) continue;
    if (filters.label && !hasLabels(filters.label, labels)) continue;
    if (filters["label!"]?.some((label) => hasLabels([label], labels))) continue;
    if (danglingOnly && context.records.names(record.id).tags.length > 0) continue;
    if (danglingOnly && context.extras.isMember(record.id)) continue;
    // Its child went first and took it along, or stays and keeps it.
    if (!context.records.get(record.id) || context.records.hasChildren(record.id)) continue;
    space += await deleteImage(context, record, deleted, { parents: true });
  }
  context.emit({ action: "prune", id: "", attributes: { reclaimed: String(space) } });
  return { ImagesDeleted: deleted.length > 0 ? deleted : undefined, SpaceReclaimed: space };
}

/** See `Images.tag`. */
export function tagImage(context: ImageContext, ref: string, repo: string, tag?: string): void {
  const { id } = findImage(context.records, ref);
  const reference = parseReference(tag === undefined || tag === "" ? repo : `${repo}:${tag}`);
  if (reference.digest !== undefined) throw digestName();
  const named = withDefaultTag(reference);
  const members = isIdOf(id, ref)
    ? []
    : context.extras.members(canonical(withDefaultTag(parseReference(ref))));
  context.state.transaction(() => {
    context.records.setTag(canonical(named), id);
    context.extras.setMembers(canonical(named), members);
  });
  context.emit({ action: "tag", id, attributes: { name: familiar(named) } });
}

const digestName = (): Error => conflict("refusing to create a tag with a digest reference");
