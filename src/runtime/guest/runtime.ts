import type { Duplex } from "node:stream";
import type { CgroupHost } from "../cgroup/support.ts";
import { groupsOf, joinableGroups } from "../groups.ts";
import { launchError } from "../launch-error.ts";
import { died, type LaunchEvents, type StepFailure } from "../launcher/launcher.ts";
import type { ResourceLimits } from "../limits.ts";
import { AT_REMOVEDIR } from "../linux.ts";
import type { Spec } from "../oci.ts";
import { Plan } from "../plan/plan.ts";
import type { SeccompCompiler, SeccompFilter } from "../seccomp/compile.ts";
import { parseExit } from "../shim/exit.ts";
import { planExec } from "../spec/exec.ts";
import { planGuest } from "../spec/guest.ts";
import type { Machine, PlannedLaunch } from "../spec/launch.ts";
import type { ExecLaunch, GuestLaunch, PlanView, Shim } from "../types.ts";
import { viewPlan } from "../view.ts";
import { GuestLauncher } from "./launcher.ts";
import { GuestShim } from "./shim.ts";

/** Where shims have their directories in a guest. */
const shims = "/run/shims";
/** The shim of the container's own process. */
const first = "main";
const ENOENT = 2;
const unlimited: ResourceLimits = { hard: new Map(), mayRaise: true };

/** A guest's control groups: v2, all of it the container's. */
const guestCgroups: CgroupHost = {
  layout: {
    mode: "v2",
    hierarchies: [],
    unified: { mountpoint: "/sys/fs/cgroup", controllers: ["cpu", "memory", "pids"], own: "/" },
  },
  support: {
    memory: true,
    swap: false,
    memoryReservation: true,
    oomKillDisable: false,
    swappiness: false,
    cpuShares: true,
    cpuCfs: true,
    cpuRealtime: false,
    cpuset: false,
    cpus: "",
    mems: "",
    cpuCount: 1,
    blkioWeight: false,
    blkioWeightDevice: false,
    bfq: false,
    blkioThrottle: false,
    pids: true,
    devices: true,
  },
};

/** The container's group in its guest. */
export const guestGroup = "/container";

const machine: Machine = {
  // Neither is asked for in a guest.
  features: { idmappedOverlay: false, overlayLayerList: false },
  limits: unlimited,
  shims,
  stallSeconds: 0xffff,
};

/** The steps of a process in a guest as text. */
export async function viewGuest(launch: GuestLaunch, filters: SeccompCompiler): Promise<PlanView> {
  const { seccomp } = launch.spec.linux;
  const filter = seccomp ? await filters.compile(seccomp) : null;
  return viewPlan(planGuest(launch, machine, groupsOf(guestCgroups, launch.spec), filter));
}

/** How a guest is reached. */
export interface GuestConnections {
  /** A connection to a socket in the guest, or with an empty path to a launcher of its own. */
  connect(path: string): Duplex;
  /** Joins the machine's standard streams to a shim's socket. */
  relay(path: string): Promise<void>;
}

/** Runs processes in a guest: plans are made here and carried out there. */
export class GuestRuntime {
  readonly #connections: GuestConnections;
  readonly #filters: SeccompCompiler;
  readonly #launcher: GuestLauncher;

  constructor(connections: GuestConnections, filters: SeccompCompiler) {
    this.#connections = connections;
    this.#filters = filters;
    this.#launcher = new GuestLauncher(connections.connect(""));
  }

  /** Starts the container's own process. Rejects with a LaunchError that names the failing step. */
  async start(launch: GuestLaunch): Promise<Shim> {
    await this.run(enableControllers());
    const filter = await this.#filter(launch.spec);
    const planned = planGuest(launch, machine, groupsOf(guestCgroups, launch.spec), filter);
    planned.options.dir = `${shims}/${first}`;
    const shim = await this.#launch(planned, "create");
    await this.adopt();
    return shim;
  }

  /** Joins the container's process, started by an earlier daemon, to the machine's streams. */
  async adopt(): Promise<void> {
    await this.#connections.relay(`${shims}/${first}/shim.sock`);
  }

  /** The shim of the container's own process, for a daemon that did not start it. */
  first(id: string, pid: number): Shim {
    return new GuestShim(id, pid, 0, this.#hostOf(first));
  }

  async exec(launch: ExecLaunch): Promise<Shim> {
    const filter = await this.#filter(launch.spec);
    const groups = joinableGroups(guestCgroups, launch.spec, null);
    return this.#launch(planExec(launch, machine, groups, filter), "exec");
  }

  /** Runs the host steps of a plan in the guest. Resolves with what its steps read. */
  async run(plan: Plan): Promise<Buffer[]> {
    const answer = await this.#launcher.run(plan);
    if (Array.isArray(answer)) return answer;
    throw launchError(plan, answer, "run");
  }

  /** How many processes the container may have; none or less is no limit. */
  async limitProcesses(limit: number): Promise<void> {
    const value = limit > 0 ? `${limit}` : "max";
    const file = `/sys/fs/cgroup${guestGroup}/pids.max`;
    await this.run(new Plan().group("cgroup").add("host", "write_file", [null, file, value], "processes"));
  }

  close(): void {
    this.#launcher.close();
  }

  async #filter({ linux }: Spec): Promise<SeccompFilter | null> {
    return linux.seccomp ? this.#filters.compile(linux.seccomp) : null;
  }

  #hostOf(name: string) {
    return {
      connect: () => this.#connections.connect(`${shims}/${name}/shim.sock`),
      discard: async () => {
        await this.#launcher.run(removeDirectory(`${shims}/${name}`));
      },
    };
  }

  #launch({ plan, options }: PlannedLaunch, verb: "create" | "exec"): Promise<GuestShim> {
    return new Promise((resolve, reject) => {
      let shim: GuestShim | undefined;
      const fail = (failure: StepFailure) => reject(launchError(plan, failure, verb));
      const events: LaunchEvents = {
        started: (pid, startTime) => {
          if (shim) return;
          const name = options.dir.slice(shims.length + 1);
          shim = new GuestShim(options.id, pid, startTime, this.#hostOf(name));
          resolve(shim);
        },
        failed: fail,
        exited: (payload) => shim?.end(parseExit(payload)),
        oom: () => shim?.oom(),
        gone: (text) => {
          if (shim) shim.lost(`${options.id}: ${text}`);
          else fail({ ...died, text });
        },
      };
      this.#launcher.launch(options, plan, events);
    });
  }
}

function enableControllers(): Plan {
  const plan = new Plan().group("cgroup");
  for (const controller of ["cpu", "memory", "pids"])
    plan.add(
      "host",
      "write_file",
      [null, "/sys/fs/cgroup/cgroup.subtree_control", `+${controller}`],
      "limits for the container",
    );
  return plan;
}

function removeDirectory(path: string): Plan {
  const plan = new Plan();
  for (const name of ["shim.sock", "pid", "exit"])
    plan.add("host", "unlinkat", [null, `${path}/${name}`, 0], "", ENOENT);
  return plan.add("host", "unlinkat", [null, path, AT_REMOVEDIR], "", ENOENT);
}
