import { execFile } from "node:child_process";
import type { ContainerTopResponse } from "@docker/node-sdk";
import { BerthError, conflict, system } from "../../lib/errors.ts";
import { processesOf } from "../../runtime/cgroup/processes.ts";
import type { Container } from "../container.ts";
import { containerEvent } from "../container-events.ts";
import type { EngineContext } from "../context.ts";
import { idMappings } from "../id-ranges.ts";
import { isIsolated } from "../isolation/isolation.ts";
import { readProcesses } from "../isolation/processes.ts";
import { type ProcessList, parsePs } from "./ps-output.ts";
import { listProcesses, showProcesses } from "./ps-proc.ts";
import { nameUsers } from "./ps-users.ts";

/** `docker top`: the host's ps(1), cut down to the container's processes. */
export async function top(
  context: EngineContext,
  container: Container,
  psArgs = "",
): Promise<ContainerTopResponse> {
  const args = psArgs || "-ef";
  refuseRenamedPid(args);
  if (container.status === "restarting") {
    throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
  }
  if (!container.running) throw conflict(`Container ${container.id} is not running`);
  const { cgroupPath, state, hostConfig } = container.record;
  if (isIsolated(hostConfig)) {
    const list = await topOfMachine(context, container, args);
    containerEvent(context, container, "top");
    return list;
  }
  const pids = processesOf(context.cgroups, cgroupPath, { recursive: true });
  const list = await listAll(args, pids);
  // In the container's own words: the host knows its users by mapped ids only.
  if (state.idRange !== null) nameUsers(list, args, idMappings(state.idRange));
  containerEvent(context, container, "top");
  return list;
}

/** The processes in a container's virtual machine, by the numbers they have there. */
async function topOfMachine(
  context: EngineContext,
  container: Container,
  args: string,
): Promise<ProcessList> {
  if (args !== "-ef")
    throw system("a container in a virtual machine is listed in the default columns only: omit ps's options");
  if (container.status === "paused")
    throw conflict(`Container ${container.id} is paused, unpause the container before top`);
  const { processes, stat } = await readProcesses(await context.machines.inside(container));
  return showProcesses(processes, stat);
}

/** A column renamed to PID would pass other processes off as the container's. */
function refuseRenamedPid(args: string): void {
  for (const [, key = "", value = ""] of args.matchAll(/\s+(\S*)=\s*(PID\S*)/g)) {
    if (key !== "pid") throw system(`specifying "${key}=${value}" is not allowed`);
  }
}

async function listAll(args: string, pids: readonly number[]): Promise<ProcessList> {
  try {
    return parsePs(await runPs(args, pids), new Set(pids));
  } catch (error) {
    if (error instanceof MissingPs && args === "-ef") return listProcesses(pids);
    throw error;
  }
}

/** No ps on this machine, or none in the daemon's PATH. */
class MissingPs extends BerthError {
  constructor(cause: unknown) {
    super(
      "SYSTEM",
      "ps: not found on this machine (install procps); only the default columns are shown without it",
      {
        cause,
      },
    );
  }
}

async function runPs(args: string, pids: readonly number[]): Promise<string> {
  const words = args.split(" ");
  try {
    return await ps([...words, `-q${pids.join(",")}`]);
  } catch (error) {
    if (error instanceof MissingPs) throw error;
    // Some options, f among them, do not go together with -q.
    return await ps(words);
  }
}

function ps(args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("ps", args, { maxBuffer: 64 << 20, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error) reject(psError(error, stderr));
      else resolve(stdout);
    });
  });
}

function psError(error: Error & { code?: unknown }, stderr: string): BerthError {
  if (error.code === "ENOENT") return new MissingPs(error);
  const [first] = stderr.split("\n");
  if (first) return system(`ps: ${first}`, error);
  return system(`ps: exit status ${error.code}`, error);
}
