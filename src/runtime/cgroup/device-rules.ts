import { join } from "node:path";
import type { DeviceRule } from "../oci.ts";
import type { FileWrite } from "./plan.ts";

const star = (number: number | undefined): string => (number === undefined || number < 0 ? "*" : `${number}`);

/** Whether a rule is about every device and every kind of access. */
const isTotal = (rule: DeviceRule): boolean =>
  (rule.type ?? "a") === "a" && star(rule.major) === "*" && star(rule.minor) === "*" && isFull(rule.access);

const isFull = (access = "rwm"): boolean => ["r", "w", "m"].every((letter) => access.includes(letter));

/** The lines that say a rule in devices.allow or devices.deny; the kernel's own "a" means everything. */
function lines(rule: DeviceRule): string[] {
  if (isTotal(rule)) return ["a"];
  const types = (rule.type ?? "a") === "a" ? ["c", "b"] : [rule.type];
  return types.map((type) => `${type} ${star(rule.major)}:${star(rule.minor)} ${rule.access ?? "rwm"}`);
}

/** Rules from the last one that is about everything: what came before has no effect. */
export function effectiveRules(rules: readonly DeviceRule[]): DeviceRule[] {
  const last = rules.findLastIndex(isTotal);
  return rules.slice(Math.max(last, 0));
}

/**
 * Writes that bring a fresh v1 devices group, which has its parent's rules, to `rules`. A group to
 * which everything is allowed needs none.
 */
export function deviceWrites(directory: string, rules: readonly DeviceRule[]): FileWrite[] {
  const writes: FileWrite[] = [];
  const effective = effectiveRules(rules);
  const [first] = effective;
  if (first && isTotal(first) && first.allow) effective.shift();
  for (const rule of effective) {
    const path = join(directory, rule.allow ? "devices.allow" : "devices.deny");
    const previous = writes.at(-1);
    if (previous?.path === path) previous.values.push(...lines(rule));
    else writes.push({ path, values: lines(rule) });
  }
  return writes;
}
