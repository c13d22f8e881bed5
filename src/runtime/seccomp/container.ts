import type { Seccomp } from "../oci.ts";
import { defaultProfile } from "./default-profile.ts";
import { machineContext, resolveProfile } from "./profile.ts";
import { readProfile } from "./read.ts";

const defaults = new Map<string, Seccomp | undefined>();

/**
 * The seccomp part of a container's spec. `option` is the value of --security-opt seccomp=: a
 * profile's JSON text, "unconfined", "builtin", or nothing for the default. `capabilities` is the
 * bounding set, on which rules depend. A privileged container without an option is unconfined.
 */
export function containerSeccomp(
  option: string | undefined,
  capabilities: readonly string[],
  privileged = false,
): Seccomp | undefined {
  if (option === "unconfined" || (privileged && !option)) return undefined;
  if (option && option !== "builtin" && option !== "default")
    return resolveProfile(readProfile(option), machineContext(capabilities));
  const key = capabilities.toSorted().join();
  if (!defaults.has(key)) defaults.set(key, resolveProfile(defaultProfile, machineContext(capabilities)));
  return defaults.get(key);
}
