import type { HostConfig } from "@docker/node-sdk";
import { orNull } from "../lib/or-null.ts";
import { type CapabilityName, normalizeCapabilities } from "../runtime/capabilities.ts";
import type { CgroupSupport } from "../runtime/cgroup/support.ts";
import { validateResources } from "../runtime/cgroup/validate.ts";
import { parseSecurityOptions } from "./security-options.ts";

/**
 * Checks what a container may do and use, with dockerd's texts, and brings names into their full
 * form. `hostConfig` is changed: limits this machine cannot enforce are taken out, each with a warning.
 */
export function checkPolicy(
  hostConfig: HostConfig,
  support: CgroupSupport,
  capabilities?: readonly CapabilityName[],
): string[] {
  hostConfig.CapAdd = orNull(normalized(hostConfig.CapAdd, "CapAdd", capabilities));
  hostConfig.CapDrop = orNull(normalized(hostConfig.CapDrop, "CapDrop", capabilities));
  parseSecurityOptions(hostConfig.SecurityOpt);
  return validateResources(hostConfig, support);
}

const normalized = (
  names: string[] | null | undefined,
  option: "CapAdd" | "CapDrop",
  available?: readonly CapabilityName[],
): string[] | null => (names ? normalizeCapabilities(names, option, available) : null);
