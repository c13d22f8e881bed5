import type { Volume } from "@docker/node-sdk";
import { showLabels } from "./containers.ts";
import type { Listing } from "./rows.ts";
import { humanSize } from "./units.ts";

const unknown = "N/A";

/** The columns of `volume ls`. */
export const volumeListing: Listing<Volume> = {
  typeName: "volumeContext",
  table: "{{.Driver}}\t{{.Name}}",
  quiet: "{{.Name}}",
  columns: {
    Name: { header: "VOLUME NAME", value: ({ Name }) => Name },
    Driver: { header: "DRIVER", value: ({ Driver }) => Driver },
    Scope: { header: "SCOPE", value: ({ Scope }) => Scope },
    Mountpoint: { header: "MOUNTPOINT", value: ({ Mountpoint }) => Mountpoint },
    Labels: { header: "LABELS", value: ({ Labels }) => showLabels(Labels ?? undefined) },
    Links: { header: "LINKS", value: ({ UsageData }) => (UsageData ? String(UsageData.RefCount) : unknown) },
    Size: {
      header: "SIZE",
      value: ({ UsageData }) => (UsageData && UsageData.Size !== -1 ? humanSize(UsageData.Size) : unknown),
    },
    // Of cluster volumes, which a single machine has none of.
    Group: { header: "GROUP", value: () => unknown },
    Status: { header: "STATUS", value: () => unknown },
    Availability: { header: "AVAILABILITY", value: () => unknown },
  },
  methods: ({ Labels }) => ({ Label: (name: string) => Labels?.[name] ?? "" }),
};
