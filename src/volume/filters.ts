import { invalid } from "../lib/errors.ts";
import type { VolumeFilters, VolumeRecord } from "./types.ts";

/** The label that dockerd gives to volumes without a name of their own. */
export const anonymousLabel = "com.docker.volume.anonymous";

type Test = (record: VolumeRecord) => boolean;

/** `docker volume ls --filter`; `used` tells whether a container has the volume. */
export function listTest(filters: VolumeFilters, used: Test): Test {
  check(filters, ["dangling", "driver", "label", "name"]);
  const dangling = flag("dangling", filters.dangling);
  return (record) =>
    any(filters.name, (value) => record.name === value || matches(value, record.name)) &&
    any(filters.driver, (value) => value === "local") &&
    hasLabels(record, filters.label) &&
    (dangling === undefined || dangling !== used(record));
}

/** `docker volume prune --filter`: of the volumes nobody uses, those to remove. */
export function pruneTest(filters: VolumeFilters): Test {
  check(filters, ["all", "label", "label!"]);
  const all = flag("all", filters.all) ?? false;
  return (record) =>
    (all || anonymousLabel in record.labels) &&
    // As with dockerd: what they show is kept elsewhere, or costs nothing.
    Object.keys(record.options).length === 0 &&
    hasLabels(record, filters.label) &&
    !(filters["label!"] ?? []).some((value) => hasLabel(record, value));
}

function check(filters: VolumeFilters, known: string[]): void {
  for (const name of Object.keys(filters)) {
    if (!known.includes(name)) throw invalid(`invalid filter '${name}'`);
  }
}

function flag(name: string, values: string[] = []): boolean | undefined {
  const read = values.map((value) => {
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    throw invalid(`invalid filter '${name}=[${values.join(" ")}]'`);
  });
  if (new Set(read).size > 1) throw invalid(`invalid filter '${name}=[${values.join(" ")}]'`);
  return read[0];
}

const any = (values: string[] | undefined, test: (value: string) => boolean): boolean =>
  !values?.length || values.some(test);

const hasLabels = (record: VolumeRecord, values: string[] = []): boolean =>
  values.every((value) => hasLabel(record, value));

function hasLabel({ labels }: VolumeRecord, value: string): boolean {
  const equals = value.indexOf("=");
  return equals < 0 ? value in labels : labels[value.slice(0, equals)] === value.slice(equals + 1);
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
