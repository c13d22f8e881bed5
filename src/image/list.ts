import type { ImageSummary } from "@docker/node-sdk";
import { parseTime } from "../lib/parse-time.ts";
import type { ImageContext } from "./context.ts";
import { createdSeconds } from "./document.ts";
import { booleanFilter, checkFilters, hasLabels, matchesReference } from "./filters.ts";
import { findImage } from "./find.ts";
import type { ImageRecord } from "./records.ts";
import { familiar, familiarRepository, parseReference } from "./reference.ts";
import type { ImageFilters, ImageListOptions } from "./types.ts";

const knownFilters = ["dangling", "label", "label!", "before", "since", "until", "reference"];

/** A stored name in its short form. */
const shortName = (ref: string): string => familiar(parseReference(ref));

/** The names of an image as Docker shows them. */
export function shortNames(context: ImageContext, id: string): { tags: string[]; digests: string[] } {
  const { tags, digests } = context.records.names(id);
  return {
    tags: tags.map(shortName),
    digests: digests.map(({ repository, digest }) => `${familiarRepository(repository)}@${digest}`),
  };
}

/** See `Images.list`. */
export function listImages(context: ImageContext, options: ImageListOptions = {}): ImageSummary[] {
  const filters = options.filters ?? {};
  checkFilters(filters, knownFilters);
  const matches = recordFilter(context, filters);
  const dangling = booleanFilter(filters, "dangling");
  const summaries: ImageSummary[] = [];
  for (const record of context.records.all()) {
    if (!matches(record)) continue;
    const names = shortNames(context, record.id);
    const isDangling = names.tags.length === 0 && names.digests.length === 0;
    // An image of another platform goes by the name of that for this one.
    if (isDangling && context.extras.isMember(record.id)) continue;
    if (dangling !== undefined && (dangling ? names.tags.length > 0 : isDangling)) continue;
    // What others were committed from is their past rather than an image of its own.
    if (isDangling && (!options.all || dangling) && context.records.hasChildren(record.id)) continue;
    if (filters.reference?.length) {
      const wanted = filters.reference;
      const keep = (name: string): boolean => wanted.some((pattern) => matchesReference(pattern, name));
      names.tags = names.tags.filter(keep);
      names.digests = names.digests.filter(keep);
      if (names.tags.length === 0 && names.digests.length === 0) continue;
    }
    summaries.push(summary(context, record, names));
  }
  if (options.sharedSize) addSharedSizes(context, summaries);
  return summaries;
}

function summary(
  context: ImageContext,
  record: ImageRecord,
  names: { tags: string[]; digests: string[] },
): ImageSummary {
  return {
    Containers: -1,
    Created: createdSeconds(record.document),
    Id: record.id,
    Labels: record.document.config?.Labels ?? {},
    ParentId: context.records.parentOf(record.id) ?? "",
    RepoDigests: names.digests,
    RepoTags: names.tags,
    SharedSize: -1,
    Size: record.size,
  };
}

/** The filters that look at one image by itself. */
function recordFilter(context: ImageContext, filters: ImageFilters): (record: ImageRecord) => boolean {
  const created = (record: ImageRecord): number => Date.parse(record.document.created ?? "") || 0;
  const times = (name: string): number[] =>
    (filters[name] ?? []).map((ref) => created(findImage(context.records, ref)));
  const before = Math.min(
    ...times("before"),
    ...(filters.until ?? []).map((value) => parseTime(value).getTime()),
  );
  const since = Math.max(...times("since"), Number.NEGATIVE_INFINITY);
  return (record) => {
    const at = created(record);
    const labels = record.document.config?.Labels ?? {};
    if (at >= before || at <= since) return false;
    if (filters.label && !hasLabels(filters.label, labels)) return false;
    return !filters["label!"]?.length || !hasLabels(filters["label!"], labels);
  };
}

function addSharedSizes(context: ImageContext, summaries: ImageSummary[]): void {
  const rows = context.state.db
    .prepare(
      `SELECT i.image, sum(l.size) AS size FROM image_layers i JOIN layers l ON l.id = i.layer
       WHERE (SELECT count(DISTINCT o.image) FROM image_layers o WHERE o.layer = i.layer) > 1 GROUP BY i.image`,
    )
    .all();
  const shared = new Map(rows.map((row) => [String(row.image), Number(row.size)]));
  for (const entry of summaries) entry.SharedSize = shared.get(entry.Id) ?? 0;
}
