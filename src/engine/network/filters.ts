import { invalid } from "../../lib/errors.ts";
import { parseTime } from "../../lib/parse-time.ts";
import { isPredefined } from "../../network/store.ts";
import type { NetworkRecord } from "../../network/types.ts";
import { matchesLabel } from "../events.ts";
import type { Filters } from "../types.ts";

type Test = (network: NetworkRecord) => boolean;

const LISTED = ["dangling", "driver", "id", "label", "name", "scope", "type"];
const PRUNED = ["label", "label!", "until"];

/** The filters of `docker network ls`. Throws INVALID_PARAMETER for unknown ones. */
export function compileNetworkFilters(filters: Filters, inUse: Test): Test {
  check(filters, LISTED);
  for (const type of filters.type ?? []) {
    if (type !== "custom" && type !== "builtin") throw invalid(`invalid filter: 'type'='${type}'`);
  }
  const any = (name: string, test: (value: string) => boolean): boolean => {
    const values = filters[name] ?? [];
    return values.length === 0 || values.some(test);
  };
  return (network) =>
    any("id", (value) => network.id.startsWith(value)) &&
    any("name", (value) => matches(network.name, value)) &&
    any("driver", (value) => network.driver === value) &&
    any("scope", (value) => value === "local") &&
    any("type", (value) => isPredefined(network) === (value === "builtin")) &&
    any("dangling", (value) => isTrue(value) === (!inUse(network) && !isPredefined(network))) &&
    (filters.label ?? []).every((value) => matchesLabel(network.labels, value));
}

/** Those of `docker network prune`. */
export function compilePruneFilters(filters: Filters): Test {
  check(filters, PRUNED);
  if ((filters.until?.length ?? 0) > 1) throw invalid("more than one until filter specified");
  const until = filters.until?.[0];
  const limit = until === undefined ? Number.POSITIVE_INFINITY : parseTime(until).getTime();
  return ({ labels, created }) =>
    (filters.label ?? []).every((value) => matchesLabel(labels, value)) &&
    !(filters["label!"] ?? []).some((value) => matchesLabel(labels, value)) &&
    Date.parse(created) < limit;
}

function check(filters: Filters, known: readonly string[]): void {
  for (const name of Object.keys(filters))
    if (!known.includes(name)) throw invalid(`invalid filter '${name}'`);
}

const isTrue = (value: string): boolean => {
  if (value === "1" || value === "true") return true;
  if (value === "0" || value === "false") return false;
  throw invalid(`invalid filter 'dangling=${value}'`);
};

function matches(name: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(name);
  } catch {
    // Not a regular expression: compared as text, as dockerd does.
    return name.includes(pattern);
  }
}
