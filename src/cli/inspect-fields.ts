import { mapFields } from "../lib/api-maps.ts";
import { marshal } from "./template/print.ts";

/** Fields that are lists; `null` stands for an empty one. */
const lists = [
  "Aliases",
  "Binds",
  "BlkioDeviceReadBps",
  "BlkioDeviceReadIOps",
  "BlkioDeviceWriteBps",
  "BlkioDeviceWriteIOps",
  "BlkioWeightDevice",
  "CapAdd",
  "CapDrop",
  "Cmd",
  "DNSNames",
  "DeviceCgroupRules",
  "DeviceRequests",
  "Devices",
  "Dns",
  "DnsOptions",
  "DnsSearch",
  "Entrypoint",
  "Env",
  "ExecIDs",
  "ExtraHosts",
  "GroupAdd",
  "Links",
  "MaskedPaths",
  "Mounts",
  "OnBuild",
  "Peers",
  "ReadonlyPaths",
  "RepoDigests",
  "RepoTags",
  "SecondaryIPAddresses",
  "SecondaryIPv6Addresses",
  "SecurityOpt",
  "Shell",
  "Ulimits",
  "VolumesFrom",
];

/** What fields are that the API leaves out when there is nothing to say. */
export const absentFields: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...lists.map((name): [string, unknown] => [name, nothing([])]),
  ...[...mapFields].map((name): [string, unknown] => [name, nothing({})]),
  ...["ArgsEscaped", "NetworkDisabled", "StdinOnce"].map((name): [string, unknown] => [name, false]),
  ...["MacAddress", "StopSignal", "Variant", "OsVersion", "Comment", "Author"].map(
    (name): [string, unknown] => [name, ""],
  ),
  ...[
    "ContainerConfig",
    "Descriptor",
    "Health",
    "Healthcheck",
    "ImageManifestDescriptor",
    "Init",
    "Manifests",
    "Services",
    "SizeRootFs",
    "SizeRw",
    "StopTimeout",
    "UsageData",
  ].map((name): [string, unknown] => [name, null]),
]);

/** A list or map that is empty to a template and `null` as JSON. */
function nothing<T extends object>(empty: T): T {
  return Object.defineProperty(empty, marshal, { value: () => "null" });
}

/** The value that `null` has as a field of that name: an empty list or map, or no value. */
export function nullField(name: string): unknown {
  const value = absentFields.get(name);
  return typeof value === "object" ? value : null;
}
