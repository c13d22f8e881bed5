import type { ContainerSummary } from "@docker/node-sdk";
import { quote } from "../template/go-strings.ts";
import { showPorts } from "./ports.ts";
import { parseReference } from "./reference.ts";
import type { Listing } from "./rows.ts";
import { ellipsis, goTime, humanSize, shortId, timeAgo } from "./units.ts";

/** The columns of `ps`. */
export function containerListing(full: boolean, size: boolean): Listing<ContainerSummary> {
  return {
    typeName: "ContainerContext",
    table: `{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}${size ? "\t{{.Size}}" : ""}`,
    quiet: "{{.ID}}",
    columns: {
      ID: { header: "CONTAINER ID", value: ({ Id = "" }) => (full ? Id : shortId(Id)) },
      Image: { header: "IMAGE", value: (container) => showImage(container, full) },
      Command: {
        header: "COMMAND",
        value: ({ Command = "" }) => quote(full ? Command : ellipsis(Command, 20)),
      },
      CreatedAt: { header: "CREATED AT", value: ({ Created = 0 }) => goTime(new Date(Created * 1000)) },
      RunningFor: { header: "CREATED", value: ({ Created = 0 }) => timeAgo(Created) },
      Status: { header: "STATUS", value: ({ Status }) => Status ?? "" },
      State: { header: "STATE", value: ({ State }) => State ?? "" },
      Ports: { header: "PORTS", value: ({ Ports }) => showPorts(Ports ?? []) },
      Names: { header: "NAMES", value: ({ Names }) => showNames(Names ?? [], full) },
      Size: { header: "SIZE", value: showSize },
      Labels: { header: "LABELS", value: ({ Labels }) => showLabels(Labels) },
      Mounts: { header: "MOUNTS", value: ({ Mounts }) => showMounts(Mounts ?? [], full) },
      LocalVolumes: {
        header: "LOCAL VOLUMES",
        value: ({ Mounts }) => String((Mounts ?? []).filter(({ Driver }) => Driver === "local").length),
      },
      Networks: {
        header: "NETWORKS",
        value: ({ NetworkSettings }) => Object.keys(NetworkSettings?.Networks ?? {}).join(","),
      },
      Platform: {
        header: "PLATFORM",
        value: ({ ImageManifestDescriptor }) => ImageManifestDescriptor?.platform ?? null,
      },
    },
    methods: ({ Labels }) => ({ Label: (name: string) => Labels?.[name] ?? "" }),
  };
}

/** Labels as one text: `a=1,b=2`. */
export function showLabels(labels: Record<string, string> | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}

function showImage({ Image = "", ImageID = "" }: ContainerSummary, full: boolean): string {
  if (Image === "") return "<no image>";
  if (full) return Image;
  if (shortId(ImageID) === shortId(Image)) return shortId(ImageID);
  const { name, tag } = parseReference(Image);
  return tag ? `${name}:${tag}` : name;
}

function showNames(names: readonly string[], full: boolean): string {
  const bare = names.map((name) => name.replace(/^\//, ""));
  // The others are the names that links give it.
  return full ? bare.join(",") : (bare.find((name) => !name.includes("/")) ?? "");
}

function showSize({ SizeRw, SizeRootFs }: ContainerSummary): string {
  const own = humanSize(SizeRw ?? 0, 3);
  return SizeRootFs ? `${own} (virtual ${humanSize(SizeRootFs, 3)})` : own;
}

function showMounts(mounts: NonNullable<ContainerSummary["Mounts"]>, full: boolean): string {
  return mounts
    .map(({ Name, Source }) => Name || Source || "")
    .map((name) => (full ? name : ellipsis(name, 15)))
    .join(",");
}
