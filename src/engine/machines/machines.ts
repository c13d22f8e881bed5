import type { ExecConfig } from "@docker/node-sdk";
import {
  createSnapshot,
  listSnapshots,
  removeSnapshot,
  restoreSnapshot,
  type SnapshotDisk,
} from "../../hypervisor/machine/snapshots.ts";
import { conflict, notFound } from "../../lib/errors.ts";
import { attachContainer } from "../attach.ts";
import type { EngineContext } from "../context.ts";
import { checkIsolation, isIsolated, machineSize } from "../isolation/isolation.ts";
import { startContainer } from "../lifecycle.ts";
import { readLogs } from "../logs/logs.ts";
import { remove } from "../remove.ts";
import { restartContainer, stopContainer } from "../stop.ts";
import type { Attachment, LogLine, LogsOptions } from "../types.ts";
import { dropAgent } from "./agent.ts";
import { createMachine } from "./create.ts";
import { machineEvent } from "./events.ts";
import { machinePaths } from "./paths.ts";
import { diskNode, isMachine, type Machine } from "./record.ts";
import type {
  MachineDetails,
  MachineRequest,
  MachineSnapshot,
  MachineSummary,
  Machines,
  MachineTemplate,
} from "./types.ts";
import { describeMachine, summarizeContainer, summarizeMachine, toSnapshot, toTemplate } from "./view.ts";

/** The verbs of whole machines. */
export class MachineVerbs implements Machines {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  async create(name: string, request: MachineRequest): Promise<{ Id: string }> {
    const { id } = await createMachine(this.#context, name, request);
    return { Id: id };
  }

  list(): Promise<MachineSummary[]> {
    const all = this.#context.table.all();
    const isolated = all.filter(({ record, running }) => running && isIsolated(record.hostConfig));
    return Promise.all([
      ...all.filter(isMachine).map((machine) => summarizeMachine(this.#context, machine)),
      ...isolated.map((container) => summarizeContainer(this.#context, container)),
    ]);
  }

  async inspect(ref: string): Promise<MachineDetails> {
    return describeMachine(this.#context, this.#get(ref));
  }

  async start(ref: string): Promise<void> {
    await startContainer(this.#context, this.#get(ref));
  }

  async stop(ref: string, options: { timeout?: number } = {}): Promise<void> {
    await stopContainer(this.#context, this.#get(ref), options);
  }

  async restart(ref: string, options: { timeout?: number } = {}): Promise<void> {
    await restartContainer(this.#context, this.#get(ref), options);
  }

  async remove(ref: string, options: { force?: boolean } = {}): Promise<void> {
    const machine = this.#get(ref);
    if (machine.running && !options.force)
      throw conflict(`the machine ${machine.record.name} is running: stop it before, or force the removal`);
    await remove(this.#context, machine, options);
  }

  async console(ref: string): Promise<Attachment> {
    const machine = this.#get(ref);
    if (!machine.running) throw conflict(`the machine ${machine.record.name} is not running: start it first`);
    return attachContainer(this.#context, machine, { stdin: true, stdout: true, stderr: true });
  }

  async exec(ref: string, config: ExecConfig): Promise<{ Id: string }> {
    return this.#context.execs.createIn(this.#get(ref), ref, config);
  }

  async logs(ref: string, options: LogsOptions, signal?: AbortSignal): Promise<AsyncIterable<LogLine>> {
    return readLogs(this.#context, this.#get(ref), options, signal);
  }

  async templates(): Promise<MachineTemplate[]> {
    return this.#context.templates.list().map(toTemplate);
  }

  async createTemplate({
    Memory = 0,
    Cpus = 0,
  }: {
    Memory?: number;
    Cpus?: number;
  }): Promise<MachineTemplate> {
    const hostConfig = { Memory, NanoCpus: Cpus * 1e9, Isolation: "hyperv" as const };
    checkIsolation(hostConfig);
    return toTemplate(await this.#context.templates.make(machineSize(hostConfig)));
  }

  async removeTemplate(name: string): Promise<void> {
    if (!this.#context.templates.remove(name)) throw notFound(`No such template: ${name}`);
  }

  async snapshots(ref: string): Promise<MachineSnapshot[]> {
    return (await listSnapshots(this.#disk(this.#get(ref)))).map(toSnapshot);
  }

  async createSnapshot(ref: string, name: string): Promise<void> {
    await this.#change(ref, name, "snapshot", createSnapshot);
  }

  async restoreSnapshot(ref: string, name: string): Promise<void> {
    await this.#change(ref, name, "snapshot-restore", restoreSnapshot);
    dropAgent(this.#get(ref));
  }

  async removeSnapshot(ref: string, name: string): Promise<void> {
    await this.#change(ref, name, "snapshot-remove", removeSnapshot);
  }

  /** Starts, stops and other changes of snapshots wait. */
  async #change(
    ref: string,
    name: string,
    action: string,
    work: (disk: SnapshotDisk, name: string) => Promise<void>,
  ): Promise<void> {
    const machine = this.#get(ref);
    await machine.lock.run(() => work(this.#disk(machine), name));
    machineEvent(this.#context, machine, action, { snapshot: name });
  }

  #disk(machine: Machine): SnapshotDisk {
    const { disk } = machinePaths(this.#context, machine.id);
    return { file: disk, node: diskNode, control: machine.control };
  }

  #get(ref: string): Machine {
    const found = this.#context.table.find(ref);
    if (!found || !isMachine(found)) throw notFound(`No such machine: ${ref}`);
    return found;
  }
}
