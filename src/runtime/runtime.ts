import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { removeCgroup } from "./cgroup/remove.ts";
import { type CgroupHost, detectCgroups } from "./cgroup/support.ts";
import { prepareExecRoot, releaseExecRoot } from "./exec-root.ts";
import { groupsFor, joinableGroups } from "./groups.ts";
import { HeldLaunch } from "./held-launch.ts";
import { launchError } from "./launch-error.ts";
import { died, type LaunchEvents, Launcher, type StepFailure } from "./launcher/launcher.ts";
import { detectLimits } from "./limits.ts";
import { kernelFeatures } from "./machine.ts";
import type { Spec } from "./oci.ts";
import type { Plan } from "./plan/plan.ts";
import { SeccompCompiler, type SeccompFilter } from "./seccomp/compile.ts";
import { abandon } from "./shim/abandon.ts";
import { removeDirectory } from "./shim/directory.ts";
import { parseExit, readExit, readPid } from "./shim/exit.ts";
import { RunningShim } from "./shim/shim.ts";
import type { KernelFeatures } from "./spec/context.ts";
import { planEnclosure } from "./spec/enclosure.ts";
import { planExec } from "./spec/exec.ts";
import { type Machine, type PlannedLaunch, planContainer } from "./spec/launch.ts";
import type { ContainerLaunch, ExecLaunch, PlanView, Runtime, Shim, ShimAttachment } from "./types.ts";
import { viewPlan } from "./view.ts";

export interface RuntimeOptions {
  /** A directory that keeps compiled seccomp filters. */
  seccompCache: string;
  /** Sockets and shims' directories go below it. */
  execRoot: string;
  /** Seconds without progress after which an attached client a whole buffer behind is dropped. */
  stallSeconds?: number;
  /** The machine's control groups, when they are known already. */
  cgroups?: CgroupHost;
  /** What the kernel can do, when it is not to be found out. */
  features?: KernelFeatures;
  /** Another launcher than native/build/berth-launcher. */
  program?: string;
  /** For the launcher: --time prints how long each step takes. */
  launcherArguments?: readonly string[];
}

/** Runs containers and execs through the launcher. */
export class LinuxRuntime implements Runtime {
  readonly #machine: Machine;
  readonly #launcher: Launcher;
  readonly #execRoot: string;
  readonly #cgroups: CgroupHost;
  readonly #filters: SeccompCompiler;
  readonly #shims = new Map<string, RunningShim>();
  /** Launches that were begun ahead. */
  readonly #held = new Map<string, HeldLaunch>();
  /** Who is told when what the launcher keeps is gone. */
  #lost: (() => void) | null = null;
  /** Theirs. */
  readonly #plans = new WeakMap<ContainerLaunch, PlannedLaunch>();

  /** Makes the exec root ready and opens a runtime there. */
  static async open(options: RuntimeOptions): Promise<LinuxRuntime> {
    const runtime = new LinuxRuntime(options);
    await prepareExecRoot(runtime.#launcher, options.execRoot);
    mkdirSync(runtime.#machine.shims, { recursive: true, mode: 0o700 });
    return runtime;
  }

  /** A runtime over an exec root as it is. */
  constructor(options: RuntimeOptions) {
    const shims = join(options.execRoot, "shims");
    mkdirSync(shims, { recursive: true, mode: 0o700 });
    this.#execRoot = options.execRoot;
    this.#machine = {
      shims,
      features: options.features ?? kernelFeatures(),
      limits: detectLimits(),
      stallSeconds: options.stallSeconds ?? 60,
    };
    this.#cgroups = options.cgroups ?? detectCgroups();
    this.#filters = new SeccompCompiler(options.seccompCache);
    this.#launcher = new Launcher(() => this.#launcherDied(), options.program, options.launcherArguments);
  }

  /** Compiles the filters of processes elsewhere too: in virtual machines. */
  get filters(): SeccompCompiler {
    return this.#filters;
  }

  /** Every shim has a directory of its name there. */
  get shims(): string {
    return this.#machine.shims;
  }

  /** The launcher's PID, once there was something to launch. */
  get launcherPid(): number | undefined {
    return this.#launcher.pid;
  }

  async start(launch: ContainerLaunch): Promise<Shim> {
    const planned = this.#plans.get(launch) ?? (await this.#plan(launch, false));
    const held = this.#held.get(launch.id);
    if (!held) return this.#launch(planned, "create");
    this.#held.delete(launch.id);
    if (held.isBeginningOf(planned)) {
      try {
        const { waitForAttach } = launch.stdio;
        return await this.#begin(planned, "create", (events) => held.finish(planned, waitForAttach, events));
      } catch (error) {
        // A failure of what was done ahead tells nothing of now.
        if (!held.failedEarly) throw error;
      }
    }
    await held.giveUp();
    await this.#removeGroup(launch.spec);
    return this.#launch(await this.#plan(launch, false), "create");
  }

  async prepare(launch: ContainerLaunch): Promise<boolean> {
    const planned = await this.#plan(launch, false);
    this.#plans.set(launch, planned);
    const held = new HeldLaunch(this.#launcher, planned);
    this.#held.set(launch.id, held);
    void held.undone.then(() => {
      if (this.#held.get(launch.id) === held) this.#held.delete(launch.id);
    });
    return held.ready;
  }

  advance(launch: ContainerLaunch): boolean {
    return this.#held.get(launch.id)?.advance() ?? false;
  }

  attachAhead(
    id: string,
    options: { stdin: boolean; stdout: boolean; stderr: boolean },
  ): Promise<ShimAttachment> | null {
    return this.#held.get(id)?.attach(options) ?? null;
  }

  async giveUp(id: string): Promise<void> {
    const held = this.#held.get(id);
    this.#held.delete(id);
    await held?.giveUp();
  }

  async exec(launch: ExecLaunch): Promise<Shim> {
    const filter = await this.#filter(launch.spec);
    const groups = joinableGroups(this.#cgroups, launch.spec, launch.containerPid);
    return this.#launch(planExec(launch, this.#machine, groups, filter), "exec");
  }

  async explain(launch: ContainerLaunch): Promise<PlanView> {
    return viewPlan(await this.#plan(launch, true));
  }

  async adopt(): Promise<Shim[]> {
    const shims: Shim[] = [];
    for (const id of readdirSync(this.#machine.shims)) {
      if (this.#shims.has(id)) continue;
      const dir = join(this.#machine.shims, id);
      const process = readPid(dir);
      if (!process) {
        // The launch never got as far as a process, or undid itself.
        removeDirectory(dir);
        continue;
      }
      const shim = new RunningShim(id, dir, process.pid, process.startTime);
      const status = readExit(dir);
      if (status) shim.end(status);
      else {
        this.#keep(shim);
        await shim.watch();
      }
      shims.push(shim);
    }
    return shims;
  }

  /** Runs the host steps of a plan in a process of its own. Resolves with what its steps read. */
  async run(plan: Plan): Promise<Buffer[]> {
    return read(plan, await this.#launcher.run(plan));
  }

  async keep(plan: Plan, lost: () => void): Promise<Buffer[]> {
    this.#lost = null;
    const answer = read(plan, await this.#launcher.keep(plan));
    this.#lost = lost;
    return answer;
  }

  async close(): Promise<void> {
    await releaseExecRoot(this.#launcher, this.#execRoot);
    this.#launcher.close();
  }

  async #plan(launch: ContainerLaunch, dry: boolean): Promise<PlannedLaunch> {
    const filter = await this.#filter(launch.spec);
    const groups = groupsFor(this.#cgroups, launch.spec, dry);
    const { enclosure } = launch;
    return enclosure
      ? planEnclosure(launch, enclosure, this.#machine, groups, filter)
      : planContainer(launch, this.#machine, groups, filter);
  }

  async #filter({ linux }: Spec): Promise<SeccompFilter | null> {
    return linux.seccomp ? this.#filters.compile(linux.seccomp) : null;
  }

  async #removeGroup({ linux }: Spec): Promise<void> {
    if (linux.cgroupsPath !== undefined) await removeCgroup(this.#cgroups, linux.cgroupsPath);
  }

  #launch(planned: PlannedLaunch, verb: "create" | "exec"): Promise<Shim> {
    return this.#begin(planned, verb, (events) =>
      this.#launcher.launch(planned.options, planned.plan, events),
    );
  }

  #begin(
    { plan, options }: PlannedLaunch,
    verb: "create" | "exec",
    send: (events: LaunchEvents) => void,
  ): Promise<Shim> {
    return new Promise((resolve, reject) => {
      let shim: RunningShim | undefined;
      const fail = (failure: StepFailure) => reject(launchError(plan, failure, verb));
      const events: LaunchEvents = {
        started: (pid, startTime, orphan) => {
          shim = new RunningShim(options.id, options.dir, pid, startTime);
          this.#keep(shim);
          if (orphan) void shim.watch();
          resolve(shim);
        },
        failed: fail,
        exited: (payload) => shim?.end(parseExit(payload)),
        oom: () => shim?.oom(),
        gone: (text) => {
          if (shim) shim.lost();
          else {
            // A shim undoes itself when a step fails; one that was killed could not.
            abandon(options.dir);
            fail({ ...died, text });
          }
        },
      };
      send(events);
    });
  }

  #keep(shim: RunningShim): void {
    this.#shims.set(shim.id, shim);
    const forget = () => this.#shims.delete(shim.id);
    shim.exited.then(forget, forget);
  }

  /** Only the launcher hears of shims that are killed; without it their sockets tell. */
  #launcherDied(): void {
    for (const shim of this.#shims.values()) void shim.watch();
    const lost = this.#lost;
    this.#lost = null;
    lost?.();
  }
}

/** What a plan's steps read. Throws a LaunchError for the step that failed. */
function read(plan: Plan, answer: Buffer[] | StepFailure): Buffer[] {
  if (Array.isArray(answer)) return answer;
  throw launchError(plan, answer, "run");
}
