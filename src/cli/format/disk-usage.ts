import type { BuildCache, ContainerSummary, ImageSummary, Volume } from "@docker/node-sdk";
import { containerListing } from "./containers.ts";
import { expandImages, imageListing } from "./images.ts";
import { formatRows, type Listing } from "./rows.ts";
import { humanSize, shortId, timeAgo } from "./units.ts";
import { volumeListing } from "./volumes.ts";

/** The API's answer to `/system/df`, in the form of versions up to 1.51. */
export interface DiskUsage {
  LayersSize?: number;
  Images?: ImageSummary[] | null;
  Containers?: ContainerSummary[] | null;
  Volumes?: Volume[] | null;
  BuildCache?: BuildCache[] | null;
}

/** What one kind of thing takes, in bytes. */
export interface UsageRow {
  type: string;
  total: number;
  active: number;
  size: number;
  reclaimable: number;
  /** Whether the reclaimable part is shown as a percentage too. */
  percent: boolean;
}

/** A row for each kind of thing. */
export function usageRows({
  LayersSize = 0,
  Images,
  Containers,
  Volumes,
  BuildCache,
}: DiskUsage): UsageRow[] {
  const images = Images ?? [];
  const usedImages = images.filter((image) => image.Containers !== 0);
  const usedSize = sum(usedImages, ({ Size, SharedSize }) =>
    Size === -1 || SharedSize === -1 ? 0 : Size - SharedSize,
  );
  const containers = Containers ?? [];
  const running = ({ State }: ContainerSummary) => /running|paused|restarting/.test(State ?? "");
  const containerSize = ({ SizeRw }: ContainerSummary) => SizeRw ?? 0;
  const volumes = Volumes ?? [];
  const volumeSize = ({ UsageData }: Volume) => (UsageData && UsageData.Size !== -1 ? UsageData.Size : 0);
  const linked = ({ UsageData }: Volume) => (UsageData?.RefCount ?? 0) > 0;
  const caches = BuildCache ?? [];
  const cacheSize = ({ Size, Shared }: BuildCache) => (Shared ? 0 : (Size ?? 0));
  return [
    {
      type: "Images",
      total: images.length,
      active: usedImages.length,
      size: LayersSize,
      reclaimable: LayersSize - usedSize,
      percent: true,
    },
    {
      type: "Containers",
      total: containers.length,
      active: containers.filter(running).length,
      size: sum(containers, containerSize),
      reclaimable: sum(
        containers.filter((container) => !running(container)),
        containerSize,
      ),
      percent: true,
    },
    {
      type: "Local Volumes",
      total: volumes.length,
      active: volumes.filter(linked).length,
      size: sum(volumes, volumeSize),
      reclaimable: sum(
        volumes.filter((volume) => !linked(volume)),
        volumeSize,
      ),
      percent: true,
    },
    {
      type: "Build Cache",
      total: caches.length,
      active: caches.filter(({ InUse }) => InUse).length,
      size: sum(caches, cacheSize),
      reclaimable: sum(
        caches.filter(({ InUse }) => !InUse),
        cacheSize,
      ),
      percent: false,
    },
  ];
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

/** The columns of `system df`. */
export const usageListing: Listing<UsageRow> = {
  typeName: "diskUsageContext",
  table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
  quiet: "{{.Type}}",
  columns: {
    Type: { header: "TYPE", value: ({ type }) => type },
    TotalCount: { header: "TOTAL", value: ({ total }) => String(total) },
    Active: { header: "ACTIVE", value: ({ active }) => String(active) },
    Size: { header: "SIZE", value: ({ size }) => humanSize(size) },
    Reclaimable: {
      header: "RECLAIMABLE",
      value: ({ size, reclaimable, percent }) =>
        percent && size > 0
          ? `${humanSize(reclaimable)} (${Math.trunc((reclaimable * 100) / size)}%)`
          : humanSize(reclaimable),
    },
  },
};

/** The four tables of `system df -v`. */
export function verboseUsage(usage: DiskUsage): string {
  const images = imageListing(false, false);
  const named = (usage.Images ?? []).flatMap((image) => expandImages([image], false).slice(0, 1));
  const containers = containerListing(false, true);
  const containerTable =
    "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
  const ownSize = {
    ...containers.columns.Size,
    header: "SIZE",
    value: ({ SizeRw }: ContainerSummary) => humanSize(SizeRw ?? 0, 3),
  };
  containers.columns = { ...containers.columns, Size: ownSize };
  const caches = usage.BuildCache ?? [];
  const cacheSize = sum(caches, ({ Size, Shared }) => (Shared ? 0 : (Size ?? 0)));
  const table = <T>(listing: Listing<T>, columns: string, rows: readonly T[]) =>
    formatRows(listing, `table ${columns}`, rows);
  return [
    "Images space usage:\n\n",
    table(
      images,
      "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
      named,
    ),
    "\nContainers space usage:\n\n",
    table(containers, containerTable, usage.Containers ?? []),
    "\nLocal Volumes space usage:\n\n",
    table(volumeListing, "{{.Name}}\t{{.Links}}\t{{.Size}}", usage.Volumes ?? []),
    `\nBuild cache usage: ${humanSize(cacheSize)}\n\n`,
    table(
      cacheListing,
      "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}",
      caches,
    ),
  ].join("");
}

const ago = (time: string | null | undefined): string => (time ? timeAgo(Date.parse(time) / 1000) : "");

const cacheListing: Listing<BuildCache> = {
  typeName: "buildCacheContext",
  table: "{{.ID}}",
  quiet: "{{.ID}}",
  columns: {
    ID: {
      header: "CACHE ID",
      value: ({ ID = "", InUse }) => shortId(ID) + (InUse ? "*" : ""),
    },
    CacheType: { header: "CACHE TYPE", value: ({ Type }) => Type ?? "" },
    Size: { header: "SIZE", value: ({ Size }) => humanSize(Size ?? 0, 3) },
    CreatedSince: { header: "CREATED", value: ({ CreatedAt }) => ago(CreatedAt) },
    LastUsedSince: { header: "LAST USED", value: ({ LastUsedAt }) => ago(LastUsedAt) },
    UsageCount: { header: "USAGE", value: ({ UsageCount }) => String(UsageCount ?? 0) },
    Shared: { header: "SHARED", value: ({ Shared }) => String(Shared ?? false) },
  },
};
