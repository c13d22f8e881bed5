import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostConfig } from "@docker/node-sdk";
import { type Accelerator, chooseAccelerator } from "../../hypervisor/accelerator.ts";
import { GuestChannel, newToken } from "../../hypervisor/guest/channel.ts";
import { type ContainerMachine, findTools, type MachineTools } from "../../hypervisor/guest/machine.ts";
import { templateSource } from "../../hypervisor/guest/template.ts";
import { Qmp } from "../../hypervisor/qmp.ts";
import { mostNetworks, type Template, type TemplateSize, TemplateStore } from "../../hypervisor/template.ts";
import { BerthError, conflict, system } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { GuestRuntime } from "../../runtime/guest/runtime.ts";
import { LaunchError } from "../../runtime/launch-error.ts";
import type { Resources } from "../../runtime/oci.ts";
import type { SeccompCompiler } from "../../runtime/seccomp/compile.ts";
import type { ContainerLaunch, ExecLaunch, GuestLaunch, Runtime, Shim } from "../../runtime/types.ts";
import type { Container } from "../container.ts";
import { enclose, files, insideOf, machineOf, macsOf } from "./enclose.ts";
import { awaken, clock, linkIndices } from "./guest-setup.ts";
import { machineSize } from "./isolation.ts";
import { reasonIn } from "./reason.ts";
import { resumeMachine } from "./resume.ts";
import { MachineShim } from "./shim.ts";
import type { MachineState } from "./types.ts";

/** How long a guest may take to come up, on a machine under load and without hardware help. */
const bootTimeoutMs = 60_000;
/** How long a guest that ran before may take to answer a new daemon. */
const answerTimeoutMs = 15_000;
/** How long after its channel a machine ends, when that is all there is to it. */
const endMs = 2000;
const SIGKILL = 9;
const SIGTERM = 15;

/** A guest that answers. */
interface Guest {
  channel: GuestChannel;
  runtime: GuestRuntime;
  /** The container's process. */
  first: Shim;
}

interface Running {
  supervisor: Shim;
  shim: MachineShim;
  guest: Promise<Guest>;
  /** The guest did not answer or its channel ended: whoever needs it next tries again. */
  lost: boolean;
}

/** How a container's machine would be made. */
export interface MachinePreview {
  tools: MachineTools;
  machine: ContainerMachine;
  template: Template | null;
  /** Its sandbox on the host. */
  enclosed: ContainerLaunch;
  /** The container's process in the guest. */
  inside: GuestLaunch;
}

/** The number that a guest gives to its first link beside the loopback. */
const firstLink = 2;

/** What furnishes a guest's links, whose numbers are known when it has booted. */
export type FurnishLinks = (indices: readonly number[]) => GuestLaunch["links"];

export interface ContainerMachinesOptions {
  runtime: Runtime;
  filters: SeccompCompiler;
  /** Shims' directories. */
  shims: string;
  /** Keeps initial ram disks. */
  cache: string;
  kernel: string | undefined;
  log: Logger;
  save(container: Container): void;
  /** A machine of this size had to boot, for which there could be a template. */
  booted(size: TemplateSize): void;
}

/** The virtual machines of containers that run isolated by a hypervisor. */
export class ContainerMachines {
  readonly #options: ContainerMachinesOptions;
  readonly #running = new Map<string, Running>();
  /** Machines that were booted already, to go on from. */
  readonly templates: TemplateStore;
  #tools: MachineTools | undefined;

  constructor(options: ContainerMachinesOptions) {
    this.#options = options;
    this.templates = new TemplateStore(join(options.cache, "templates"));
  }

  /** What this host makes machines with. Throws UNAVAILABLE when something is missing. */
  tools(): MachineTools {
    this.#tools ??= findTools(this.#options);
    return this.#tools;
  }

  /** What would carry out a guest's instructions on this host. */
  accelerator(): Accelerator {
    return chooseAccelerator();
  }

  /**
   * Boots a machine and starts the container's process in it. Nothing stays when that fails. `links` gives
   * the messages that furnish the guest's links of these numbers.
   */
  async start(container: Container, launch: ContainerLaunch, links: FurnishLinks): Promise<Shim> {
    const size = machineSize(container.record.hostConfig);
    if (size.memory > totalmem())
      throw conflict(
        `a virtual machine of ${mib(size.memory)} does not fit into this host's memory of ${mib(totalmem())}: use less --memory`,
      );
    const template = this.#template(container, size);
    if (template) {
      try {
        return await this.#start(container, launch, links, template);
      } catch (error) {
        if (error instanceof LaunchError) throw error;
        this.templates.remove(template.name);
        if (!(error instanceof NotResumed)) throw error;
        this.#unusable(template.name, error.message);
      }
    }
    const shim = await this.#start(container, launch, links, null);
    if (macsOf(container).length <= mostNetworks) this.#options.booted(size);
    return shim;
  }

  async #start(
    container: Container,
    launch: ContainerLaunch,
    links: FurnishLinks,
    template: Template | null,
  ): Promise<Shim> {
    const size = machineSize(container.record.hostConfig);
    const state: MachineState = { token: template?.token ?? newToken(), pid: 0, startTime: 0, ...size };
    const machine = machineOf(container, state.token, template);
    const enclosed = enclose(this.tools(), container, launch, machine, template);
    container.record.state.machine = state;
    // For a daemon that comes after a crash in the middle.
    this.#options.save(container);
    const supervisor = await this.#options.runtime.start(enclosed);
    let answered = false;
    const answers = (): void => {
      answered = true;
      // Before there is any output.
      for (const pending of container.pendingAttaches) pending.started(shim);
      container.pendingAttaches.clear();
    };
    const { shim, running } = this.#take(container, supervisor, () =>
      this.#boot(container, launch, supervisor, links, template && { machine, answers }),
    );
    // However long the boot takes.
    if (!template) answers();
    try {
      await running.guest;
      return shim;
    } catch (error) {
      await giveUp(supervisor);
      const reason = this.#reason(supervisor.id);
      await supervisor.dispose();
      const failure = startError(error, reason);
      throw answered ? failure : new NotResumed(failure.message, { cause: failure });
    }
  }

  /** Takes up a machine that ran before this daemon did. One whose start was cut off is ended. */
  adopt(container: Container, supervisor: Shim): Shim {
    const { shim, running } = this.#take(container, supervisor, () => this.#reach(container, supervisor));
    running.guest.catch(() => {
      if (!container.record.state.machine?.pid) supervisor.signal(SIGKILL).catch(() => undefined);
    });
    return shim;
  }

  #take(container: Container, supervisor: Shim, reach: () => Promise<Guest>) {
    const ended = supervisor.exited.then((status) => {
      container.machineFailure = this.#reason(supervisor.id);
      return status;
    });
    const shim = new MachineShim(supervisor, () => this.#first(container), {
      tty: container.record.config.Tty ?? false,
      ended,
    });
    const running: Running = { supervisor, shim, guest: reach(), lost: false };
    this.#running.set(container.id, running);
    this.#watch(container, running);
    const forget = (): void => {
      if (this.#running.get(container.id) === running) this.#running.delete(container.id);
      running.guest.then(
        ({ channel }) => channel.close(),
        () => undefined,
      );
    };
    ended.then(forget, forget);
    return { shim, running };
  }

  #watch(container: Container, running: Running): void {
    running.guest.then(
      ({ first, channel }) => {
        first.onOom(() => running.shim.noteOom());
        void channel.closed.then((reason) => this.#channelClosed(container, running, reason));
      },
      (error: unknown) => this.#lose(container, running, String(error)),
    );
  }

  /** A channel ends before the machine's end is told; without that end something is wrong. */
  async #channelClosed(container: Container, running: Running, reason: Error | null): Promise<void> {
    await sleep(endMs);
    if (reason) this.#lose(container, running, reason.message);
  }

  #lose(container: Container, running: Running, reason: string): void {
    // A start that fails is told to whom asked for it.
    if (this.#running.get(container.id) !== running || !container.record.state.machine?.pid) return;
    running.lost = true;
    this.#options.log.warn("a virtual machine cannot be reached", { container: container.id, reason });
  }

  async #boot(
    container: Container,
    launch: ContainerLaunch,
    supervisor: Shim,
    links: FurnishLinks,
    /** What goes on from a template, and whom to tell when it does. */
    resumed: { machine: ContainerMachine; answers(): void } | null,
  ): Promise<Guest> {
    if (resumed) await resumeMachine(supervisor, this.#path(supervisor.id, files.monitor), resumed.machine);
    const timeout = resumed ? answerTimeoutMs : bootTimeoutMs;
    const channel = await this.#open(container, supervisor, timeout);
    const runtime = new GuestRuntime(channel, this.#options.filters);
    await runtime.run(resumed ? awaken() : clock());
    resumed?.answers();
    const inside = insideOf(launch, links(await linkIndices(runtime, macsOf(container))));
    const first = await runtime.start(inside);
    container.spec = inside.spec;
    const { machine: state } = container.record.state;
    if (state) Object.assign(state, { pid: first.pid, startTime: first.startTime });
    return { channel, runtime, first };
  }

  async #reach(container: Container, supervisor: Shim): Promise<Guest> {
    const { machine } = container.record.state;
    if (!machine?.pid) throw new Error("its start was cut off");
    const channel = await this.#open(container, supervisor, answerTimeoutMs);
    const runtime = new GuestRuntime(channel, this.#options.filters);
    await runtime.adopt();
    return { channel, runtime, first: runtime.first(container.id, machine.pid) };
  }

  #open(container: Container, supervisor: Shim, timeoutMs: number): Promise<GuestChannel> {
    const dead = new AbortController();
    const end = (): void => dead.abort();
    supervisor.exited.then(end, end);
    return GuestChannel.open(
      this.#path(supervisor.id, files.control),
      container.record.state.machine?.token ?? "",
      {
        timeoutMs,
        signal: dead.signal,
      },
    );
  }

  async #first(container: Container): Promise<Shim> {
    return (await this.#guest(container)).first;
  }

  async #guest(container: Container): Promise<Guest> {
    const running = this.#running.get(container.id);
    if (!running) throw conflict(`container ${container.id} is not running`);
    if (running.lost) {
      running.lost = false;
      running.guest = this.#reach(container, running.supervisor);
      this.#watch(container, running);
    }
    return running.guest;
  }

  /** The runtime inside a running container's machine. */
  async inside(container: Container): Promise<GuestRuntime> {
    return (await this.#guest(container)).runtime;
  }

  /** Starts a further process in a container's guest. */
  async exec(container: Container, launch: ExecLaunch): Promise<Shim> {
    const { machine } = container.record.state;
    return (await this.inside(container)).exec({
      ...launch,
      containerPid: machine?.pid ?? 0,
      containerStartTime: machine?.startTime ?? 0,
    });
  }

  #path(id: string, file: string): string {
    return join(this.#options.shims, id, file);
  }

  /** Why a machine did not end in order, as far as it said so. */
  #reason(id: string): string {
    let text: string;
    try {
      text = readFileSync(this.#path(id, files.log), "utf8");
    } catch {
      return "";
    }
    return reasonIn(text);
  }

  /** The template that a container's machine can go on from. */
  #template(container: Container, size: TemplateSize): Template | null {
    if (macsOf(container).length > mostNetworks) return null;
    return this.templates.find(templateSource(this.tools()), size, (name, reason) =>
      this.#unusable(name, reason),
    );
  }

  /** What `start` would do for a container that nobody has made; does and takes nothing. */
  preview(container: Container, launch: ContainerLaunch, links: FurnishLinks): MachinePreview {
    const tools = this.tools();
    const size = machineSize(container.record.hostConfig);
    const macs = macsOf(container);
    const template = macs.length > mostNetworks ? null : this.templates.peek(templateSource(tools), size);
    const machine = machineOf(container, "TOKEN", template);
    return {
      tools,
      machine,
      template,
      enclosed: enclose(tools, container, launch, machine, template),
      inside: insideOf(launch, links(macs.map((_, at) => firstLink + at))),
    };
  }

  #unusable(template: string, reason: string): void {
    this.#options.log.warn("a template of virtual machines cannot be used and is removed", {
      template,
      reason,
    });
  }

  /**
   * Gives a running machine other limits, within what it was started with; throws CONFLICT beyond. Answers
   * with what it was started with.
   */
  async change(container: Container, to: Resources, after: HostConfig): Promise<MachineState> {
    const { machine, status } = { ...container.record.state };
    if (!machine) throw conflict(`container ${container.id} is not running`);
    const wish = machineSize(after);
    if (wish.memory > machine.memory)
      throw conflict(
        `its virtual machine was started with ${mib(machine.memory)} of memory and cannot have ${mib(wish.memory)} while it runs`,
      );
    if (wish.cpus > machine.cpus)
      throw conflict(
        `its virtual machine was started with ${machine.cpus} processors and cannot have ${wish.cpus} while it runs`,
      );
    const monitor = await this.monitor(container);
    try {
      await monitor.execute("balloon", { value: wish.memory });
    } finally {
      monitor.close();
    }
    if (to.pids && status !== "paused") await (await this.inside(container)).limitProcesses(to.pids.limit);
    return machine;
  }

  /** QEMU's control protocol of a running container's machine. */
  monitor(container: Container): Promise<Qmp> {
    const running = this.#running.get(container.id);
    if (!running) throw conflict(`container ${container.id} is not running`);
    return Qmp.connect(this.#path(running.supervisor.id, files.monitor));
  }

  /** Machines run on. */
  close(): void {
    for (const { guest } of this.#running.values())
      guest.then(
        ({ channel }) => channel.close(),
        () => undefined,
      );
    this.#running.clear();
  }
}

/** A template's machine did not go on: nothing of the container's was begun. */
class NotResumed extends Error {}

const mib = (bytes: number): string => `${Math.floor(bytes / (1 << 20))} MiB`;

/** Ends a machine that did not come up, so that it leaves what it said. */
async function giveUp(supervisor: Shim): Promise<void> {
  await supervisor.signal(SIGTERM).catch(() => undefined);
  await Promise.race([supervisor.exited, sleep(endMs)]).catch(() => undefined);
  await supervisor.signal(SIGKILL).catch(() => undefined);
  await supervisor.exited.catch(() => undefined);
}

/** A step of the plan that failed in the guest is told as it would be without one. */
function startError(error: unknown, reason: string): Error {
  if (error instanceof LaunchError || (error instanceof BerthError && reason === "")) return error;
  const why = error instanceof Error ? error.message : String(error);
  return system(
    `the container's virtual machine did not start: ${why}${reason === "" ? "" : `: ${reason}`}`,
    error,
  );
}
