import type { Client } from "./client/client.ts";
import { confirm } from "./confirm.ts";
import { encodeFilters, filterFlag } from "./flags/filters.ts";
import type { FlagTable } from "./flags/flag.ts";
import { humanSize } from "./format/units.ts";
import { out } from "./io/output.ts";

/** The flags of every `prune`. */
export const pruneFlags = {
  filter: {
    type: "list",
    placeholder: "filter",
    help: "Only what matches KEY=VALUE",
    check: filterFlag.check,
  },
  force: { type: "bool", short: "f", help: "Do not ask" },
} as const satisfies FlagTable;

/** One kind of thing to prune. */
export interface Prune {
  /** `/containers/prune` and the like. */
  path: string;
  /** Heading of what was removed. */
  heading: string;
  /** What was removed, a line each. */
  removed: (report: PruneReport) => string[];
  filters: string[];
  /** Of the build cache also what is in use by nothing but cache. */
  all?: boolean;
  bounds?: CacheBounds;
}

/** How much of the build cache may stay; bytes. */
export interface CacheBounds {
  keep?: number | undefined;
  /** At most. */
  most?: number | undefined;
  /** Free of the disk. */
  free?: number | undefined;
}

/** The answers of all prunes of the API. */
export interface PruneReport {
  ContainersDeleted?: string[] | null;
  ImagesDeleted?: { Untagged?: string; Deleted?: string }[] | null;
  VolumesDeleted?: string[] | null;
  NetworksDeleted?: string[] | null;
  CachesDeleted?: string[] | null;
  SpaceReclaimed?: number;
}

/** Removes the unused things of one kind; resolves to the bytes that it freed. */
export async function prune(
  client: Client,
  { path, heading, removed, filters, all, bounds }: Prune,
): Promise<number> {
  const report = await client.json<PruneReport>("POST", path, {
    query: {
      filters: encodeFilters(filters),
      all: all ? 1 : undefined,
      "reserved-space": bounds?.keep,
      "keep-storage": bounds?.keep,
      "max-used-space": bounds?.most,
      "min-free-space": bounds?.free,
    },
  });
  const lines = removed(report);
  if (lines.length > 0) out(`${heading}:\n${lines.join("\n")}\n\n`);
  return report.SpaceReclaimed ?? 0;
}

/** The line that ends every prune but that of networks. */
export function reclaimed(bytes: number): string {
  return `Total reclaimed space: ${humanSize(bytes)}\n`;
}

/** Asks before a prune unless forced. */
export function mayPrune(force: boolean, warning: string): boolean {
  return force || confirm(`WARNING! ${warning}\nAre you sure you want to continue?`);
}

const list = (values: string[] | null | undefined): string[] => values ?? [];

export const pruneContainers = (filters: string[]): Prune => ({
  path: "/containers/prune",
  heading: "Deleted Containers",
  removed: ({ ContainersDeleted }) => list(ContainersDeleted),
  filters,
});
/** Images without a name, or with `all` those that no container uses. */
export const pruneImages = (filters: string[], all: boolean): Prune => ({
  path: "/images/prune",
  heading: "Deleted Images",
  removed: ({ ImagesDeleted }) =>
    (ImagesDeleted ?? []).map(({ Untagged, Deleted }) =>
      Untagged ? `untagged: ${Untagged}` : `deleted: ${Deleted}`,
    ),
  filters: [...filters, `dangling=${!all}`],
});
export const pruneVolumes = (filters: string[]): Prune => ({
  path: "/volumes/prune",
  heading: "Deleted Volumes",
  removed: ({ VolumesDeleted }) => list(VolumesDeleted),
  filters,
});
export const pruneNetworks = (filters: string[]): Prune => ({
  path: "/networks/prune",
  heading: "Deleted Networks",
  removed: ({ NetworksDeleted }) => list(NetworksDeleted),
  filters,
});
export const pruneCache = (filters: string[], all: boolean, bounds?: CacheBounds): Prune => ({
  path: "/build/prune",
  all,
  ...(bounds ? { bounds } : {}),
  heading: "Deleted build cache objects",
  removed: ({ CachesDeleted }) => list(CachesDeleted),
  filters,
});
