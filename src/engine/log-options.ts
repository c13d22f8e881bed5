import { join } from "node:path";
import type { ContainerConfig, HostConfig } from "@docker/node-sdk";
import { parseBytes } from "../lib/bytes.ts";
import { invalid } from "../lib/errors.ts";
import type { ShimLog } from "../runtime/types.ts";

/** What `--log-driver` and `--log-opt` mean for the shim, which writes the log. */
export function shimLog(
  hostConfig: HostConfig,
  config: ContainerConfig,
  directory: string,
  id: string,
): ShimLog {
  const driver = (hostConfig.LogConfig?.Type ?? "json-file") as ShimLog["driver"];
  const options = hostConfig.LogConfig?.Config ?? {};
  const maxFile = Number(options["max-file"] ?? 1);
  if (!Number.isInteger(maxFile) || maxFile < 1) throw invalid("max-file cannot be less than 1");
  const attrs = logAttributes(options, config);
  return {
    driver,
    path: logPath(hostConfig, directory, id),
    maxSize: options["max-size"] ? parseBytes(options["max-size"]) : 0,
    maxFile,
    ...(attrs ? { attrs } : {}),
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

/** Labels and variables named in the `labels` and `env` options. */
function logAttributes(
  options: Record<string, string>,
  config: ContainerConfig,
): Record<string, string> | null {
  const found: Record<string, string> = {};
  for (const name of (options.labels ?? "").split(",").filter(Boolean)) {
    const value = config.Labels?.[name];
    if (value !== undefined) found[name] = value;
  }
  for (const name of (options.env ?? "").split(",").filter(Boolean)) {
    const variable = config.Env?.find((entry) => entry.startsWith(`${name}=`));
    if (variable !== undefined) found[name] = variable.slice(name.length + 1);
  }
  return Object.keys(found).length > 0 ? found : null;
}
