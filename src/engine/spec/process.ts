import type { ContainerConfig, HostConfig } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";
import { boundingSet, capabilityNames, chooseCapabilities } from "../../runtime/capabilities.ts";
import { defaultCapabilities, defaultPath } from "../../runtime/defaults.ts";
import { rlimits as resources } from "../../runtime/linux.ts";
import type { Capabilities, Process, Rlimit } from "../../runtime/oci.ts";
import type { ContainerRecord } from "../record.ts";
import { parseSecurityOptions } from "../security-options.ts";
import type { ResolvedUser } from "./user.ts";

/** The container's first process, as Docker derives it from the two configs. */
export function initProcess(record: ContainerRecord, user: ResolvedUser): Process {
  const { config, hostConfig } = record;
  const [height = 0, width = 0] = hostConfig.ConsoleSize ?? [];
  return {
    terminal: config.Tty ?? false,
    ...(height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
    cwd: config.WorkingDir || "/",
    env: environment(config, user.home),
    args: [record.path, ...record.args],
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    rlimits: rlimits(hostConfig),
    capabilities: capabilitySets(record, user.uid),
    noNewPrivileges: parseSecurityOptions(hostConfig.SecurityOpt).noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}

/** Docker's base variables, which the image's and the user's override by name; HOME comes from passwd(5). */
export function environment(config: ContainerConfig, home: string): string[] {
  const variables = new Map<string, string>();
  const put = (variable: string): void => {
    const name = variable.split("=", 1)[0] ?? variable;
    // A bare name unsets what the image or the container says.
    if (name === variable) variables.delete(name);
    else variables.set(name, variable);
  };
  put(`PATH=${defaultPath}`);
  put(`HOSTNAME=${config.Hostname ?? ""}`);
  if (config.Tty) put("TERM=xterm");
  for (const variable of config.Env ?? []) put(variable);
  if (!variables.has("HOME")) put(`HOME=${home}`);
  return [...variables.values()];
}

/** What a process may do. Only root gets them as effective, as execve(2) would give; a user gains none. */
export function capabilitySets(
  { hostConfig, state }: ContainerRecord,
  uid: number,
  privileged = hostConfig.Privileged,
): Capabilities {
  const { capabilities } = chooseCapabilities(
    { add: hostConfig.CapAdd, drop: hostConfig.CapDrop, privileged },
    defaultCapabilities,
    // A user namespace begins with every capability, whatever this process lacks.
    state.idRange === null ? boundingSet() : capabilityNames,
  );
  const own = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective: own, permitted: own, inheritable: [], ambient: [] };
}

/** `--ulimit`, as the runtime specification has it. */
export function rlimits(hostConfig: HostConfig): Rlimit[] {
  return (hostConfig.Ulimits ?? []).map(({ Name = "", Soft = 0, Hard = 0 }) => {
    const type = `RLIMIT_${Name.toUpperCase()}`;
    if (!(type in resources)) throw invalid(`invalid ulimit type: ${Name}`);
    return { type, soft: Soft, hard: Hard };
  });
}
