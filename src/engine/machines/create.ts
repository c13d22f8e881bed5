import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import type { HostConfig } from "@docker/node-sdk";
import { importDisk, makeSystemDisk } from "../../hypervisor/machine/disk.ts";
import type { ResolvedImage } from "../../image/types.ts";
import { conflict, invalid } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { timestamp } from "../../lib/time.ts";
import type { EngineContext } from "../context.ts";
import { containerDirectory, discard } from "../create.ts";
import { normalizeHostConfig } from "../host-config.ts";
import { checkName } from "../names.ts";
import { type ContainerRecord, initialState } from "../record.ts";
import { machineEvent } from "./events.ts";
import { totalMemory } from "./memory.ts";
import { machinePaths } from "./paths.ts";
import { hypervisorOverhead, type Machine, type MachineRecord } from "./record.ts";
import type { MachineRequest } from "./types.ts";

const megabyte = 2 ** 20;
const defaults = { memory: 512 * megabyte, cpus: 1, diskSize: 10 * 1024 * megabyte };
/** Less than a kernel and its ram disk take. */
const smallestMemory = 64 * megabyte;
/** Seconds that a guest has to shut down. */
const stopTimeout = 60;
const smallestDisk = 16 * megabyte;

/** Makes a machine and its disk; nothing stays when it fails. */
export async function createMachine(
  context: EngineContext,
  name: string,
  request: MachineRequest,
): Promise<Machine> {
  const bare = checkName(name);
  if (context.table.hasName(bare)) throw conflict(`the name ${bare} is in use: remove or rename what has it`);
  const settings = checked(request);
  const image = request.Image ? await context.images.resolve(request.Image) : null;
  const record = newRecord(context, bare, request, settings, image);
  const machine = context.state.transaction(() => {
    if (image) context.images.use(image.id, record.id);
    return context.table.add(record);
  }) as Machine;
  // Until its disk is whole nobody may start it.
  await machine.lock.run(async () => {
    try {
      await makeDisk(context, machine, image, settings.diskSize);
    } catch (error) {
      await discard(context, machine);
      throw error;
    }
  });
  machineEvent(context, machine, "create");
  return machine;
}

interface Settings {
  memory: number;
  cpus: number;
  /** Null: as large as the disk is. */
  diskSize: number | null;
}

function checked({ Image, Disk, Memory, Cpus, DiskSize }: MachineRequest): Settings {
  if ((Image ? 1 : 0) + (Disk ? 1 : 0) !== 1) throw invalid("a machine needs either an image or a disk");
  if (Disk && !isAbsolute(Disk)) throw invalid(`the path of the disk ${Disk} is not absolute`);
  const memory = Memory || defaults.memory;
  const total = totalMemory();
  if (memory < smallestMemory) throw invalid(`a machine needs at least ${smallestMemory} bytes of memory`);
  if (memory > total)
    throw invalid(`${memory} bytes of memory are more than the host has (${total}): give a smaller --memory`);
  const cpus = Cpus || defaults.cpus;
  const host = availableParallelism();
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > host)
    throw invalid(`a machine has whole processors, from 1 to the host's ${host}: ${cpus} is none of these`);
  const diskSize = DiskSize || (Image ? defaults.diskSize : null);
  if (Image && diskSize !== null && diskSize < smallestDisk)
    throw invalid(`a disk needs at least ${smallestDisk} bytes`);
  return { memory, cpus, diskSize };
}

function newRecord(
  context: EngineContext,
  name: string,
  request: MachineRequest,
  { memory, cpus }: Settings,
  image: ResolvedImage | null,
): ContainerRecord {
  const id = newId();
  const machine: MachineRecord = {
    memory,
    cpus,
    source: image ? { image: request.Image ?? "" } : { disk: request.Disk ?? "" },
    token: "",
    hypervisor: null,
  };
  return {
    id,
    name,
    created: timestamp(),
    imageId: image?.id ?? "",
    path: "",
    args: [],
    config: {
      Image: request.Image ?? "",
      Tty: true,
      OpenStdin: true,
      StopTimeout: stopTimeout,
      Hostname: name,
      Labels: request.Labels ?? {},
    },
    hostConfig: hostConfig(request, memory, cpus),
    networking: {},
    mounts: [],
    cgroupPath: join("/", context.cgroupParent, id),
    machine,
    state: initialState(),
  };
}

function hostConfig(
  { RestartPolicy, PortBindings, Network }: MachineRequest,
  memory: number,
  cpus: number,
): HostConfig {
  const limit = memory + hypervisorOverhead;
  return normalizeHostConfig({
    RestartPolicy,
    PortBindings,
    NetworkMode: Network || "bridge",
    Memory: limit,
    // The guest's memory is not to be swapped out behind its back.
    MemorySwap: limit,
    NanoCpus: cpus * 1e9,
  });
}

async function makeDisk(
  context: EngineContext,
  { id, record }: Machine,
  image: ResolvedImage | null,
  size: number | null,
): Promise<void> {
  const directory = containerDirectory(context, id);
  const paths = machinePaths(context, id);
  mkdirSync(directory, { mode: 0o711 });
  for (const name of ["rw", "rw/upper", "rw/work"]) mkdirSync(join(directory, name), { mode: 0o711 });
  mkdirSync(paths.files, { mode: 0o700 });
  const { source } = record.machine;
  if ("disk" in source) {
    await importDisk(source.disk, paths.disk, size);
    return;
  }
  const { root } = context.state.paths;
  const names = (image?.layers ?? []).map((layer) => relative(root, layer));
  await makeSystemDisk(
    { root, names, at: join(directory, "rw", "work") },
    paths.disk,
    size ?? defaults.diskSize,
  );
}
