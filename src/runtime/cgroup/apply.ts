import { makeDirectory, writeValues } from "./files.ts";
import type { CgroupPlan } from "./plan.ts";

/** Makes a plan's groups and limits from this process, without putting anything into them. */
export function applyPlan(plan: CgroupPlan): void {
  for (const directory of plan.dirs) makeDirectory(directory);
  for (const write of plan.writes) writeValues(write);
}
