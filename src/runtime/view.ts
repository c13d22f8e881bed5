import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "./linux.ts";
import { phases } from "./plan/plan.ts";
import type { PlannedLaunch } from "./spec/launch.ts";
import { flagNames, readableStep } from "./step-view.ts";
import type { PlanView } from "./types.ts";

type StepView = PlanView["steps"][number];

/** A launch made readable: one system call a line, in the order of their making. */
export function viewPlan({ plan, options }: PlannedLaunch): PlanView {
  const [host = [], parent = [], child = []] = phases.map((phase) =>
    plan.steps[phase].map((step) => ({
      phase,
      group: step.group,
      call: readableStep(step),
      why: step.why,
    })),
  );
  return { steps: [...host, ...cloneSteps(options.cloneFlags), ...parent, ...child] };
}

/** In the order in which the kernel makes them: the user namespace owns the others. */
const namespaces: { flag: number; group: string; why: string }[] = [
  {
    flag: CLONE_NEWUSER,
    group: "user",
    why: "ids and capabilities of its own: root inside is nobody outside",
  },
  { flag: CLONE_NEWPID, group: "pid", why: "processes of its own, numbered from 1; all die with the first" },
  { flag: CLONE_NEWNS, group: "mounts", why: "a mount table of its own" },
  { flag: CLONE_NEWNET, group: "network", why: "interfaces, addresses, routes and ports of its own" },
  { flag: CLONE_NEWIPC, group: "ipc", why: "shared memory, semaphores and message queues of its own" },
  { flag: CLONE_NEWUTS, group: "hostname", why: "a host name of its own" },
  { flag: CLONE_NEWCGROUP, group: "cgroup", why: "control groups of its own" },
];

/** The one clone3(2) that makes the process, told once for each namespace that it makes. */
function cloneSteps(flags: number): StepView[] {
  const steps = namespaces
    .filter(({ flag }) => flags & flag)
    .map(
      ({ flag, group, why }): StepView => ({
        phase: "host",
        group,
        call: `clone3(${flagNames(flag)})`,
        why,
      }),
    );
  if (steps.length > 0) return steps;
  return [{ phase: "host", group: "process", call: "clone3(0)", why: "the container's first process" }];
}
