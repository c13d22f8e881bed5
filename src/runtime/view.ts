import { stepText } from "./launch-error.ts";
import { type Plan, phases } from "./plan/plan.ts";
import type { PlanView } from "./types.ts";

/** A launch plan made readable: one system call a line. */
export function viewPlan(plan: Plan): PlanView {
  return {
    steps: phases.flatMap((phase) =>
      plan.steps[phase].map((step) => ({
        phase,
        group: step.group,
        call: stepText(step),
        why: step.why,
      })),
    ),
  };
}
