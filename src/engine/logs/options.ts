import { join } from "node:path";
import type { ContainerConfig, HostConfig } from "@docker/node-sdk";
import { parseBytes } from "../../lib/bytes.ts";
import type { ShimLog } from "../../runtime/types.ts";
import type { ContainerRecord } from "../record.ts";
import { expandTag } from "./tag.ts";

/** What `--log-driver` and `--log-opt` mean for the shim, which writes the log. */
export function shimLog(record: ContainerRecord, directory: string): ShimLog {
  const { hostConfig, config } = record;
  const driver = (hostConfig.LogConfig?.Type ?? "json-file") as ShimLog["driver"];
  const options = hostConfig.LogConfig?.Config ?? {};
  const attrs = {
    ...logAttributes(options, config),
    ...(options.tag ? { tag: expandTag(options.tag, record) } : {}),
  };
  return {
    driver,
    path: logPath(hostConfig, directory, record.id),
    maxSize: options["max-size"] ? parseBytes(options["max-size"]) : 0,
    maxFile: Number(options["max-file"] ?? 1),
    ...(Object.keys(attrs).length > 0 ? { attrs } : {}),
  };
}

/** The log's file; empty when the driver keeps none. */
export function logPath(hostConfig: HostConfig, directory: string, id: string): string {
  switch (hostConfig.LogConfig?.Type) {
    case "none":
      return "";
    case "local":
      return join(directory, "local-logs", "container.log");
    default:
      return join(directory, `${id}-json.log`);
  }
}

/** Labels and variables that the options `labels`, `env` and their -regex forms choose. */
export function logAttributes(
  options: Record<string, string>,
  config: ContainerConfig,
): Record<string, string> {
  const variables = (config.Env ?? []).map((variable): [string, string] => {
    const [name = ""] = variable.split("=", 1);
    return [name, variable.slice(name.length + 1)];
  });
  return Object.fromEntries([
    ...Object.entries(config.Labels ?? {}).filter(([name]) =>
      chosen(name, options.labels, options["labels-regex"]),
    ),
    ...variables.filter(([name]) => chosen(name, options.env, options["env-regex"])),
  ]);
}

const chosen = (name: string, list = "", pattern = ""): boolean =>
  list.split(",").includes(name) || (pattern !== "" && new RegExp(pattern).test(name));
