import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { system } from "../../lib/errors.ts";
import { makeDirectory, readOptional, writeValues } from "./files.ts";
import { hierarchyOf } from "./layout.ts";
import { prepareHierarchy } from "./prepare.ts";
import { mainDirectory, moveAll } from "./processes.ts";
import type { CgroupHost } from "./support.ts";

/** How a group is frozen: the file, what to write, and what the file of the state says when it is done. */
interface Freezer {
  control: string;
  frozen: string;
  thawed: string;
  isFrozen(): boolean;
}

function freezerV1(directory: string): Freezer {
  const control = join(directory, "freezer.state");
  return {
    control,
    frozen: "FROZEN",
    thawed: "THAWED",
    isFrozen: () => readFileSync(control, "latin1").trim() === "FROZEN",
  };
}

function freezerV2(directory: string): Freezer {
  return {
    control: join(directory, "cgroup.freeze"),
    frozen: "1",
    thawed: "0",
    isFrozen: () => /^frozen 1$/m.test(readFileSync(join(directory, "cgroup.events"), "latin1")),
  };
}

function freezerOf(host: CgroupHost, path: string): Freezer | undefined {
  if (host.layout.mode === "v2") return freezerV2(mainDirectory(host, path));
  const hierarchy = hierarchyOf(host.layout, "freezer");
  return hierarchy && freezerV1(join(hierarchy.mountpoint, path));
}

/** A v1 freezer group is made at the first pause: most containers never see one. */
function makeFreezer(host: CgroupHost, path: string): Freezer {
  const freezer = freezerOf(host, path);
  if (!freezer) throw system("the freezer cgroup is not mounted; pausing needs it or cgroup v2");
  const directory = dirname(freezer.control);
  if (host.layout.mode !== "v2" && !existsSync(directory)) {
    prepareHierarchy(host, "freezer", dirname(path));
    makeDirectory(directory);
    moveAll(host, path, directory);
  }
  return freezer;
}

/**
 * Stops every process of a group and waits until all stand still. `timeout` in ms; when it passes,
 * the group is thawed again and an error says so.
 */
export async function freeze(host: CgroupHost, path: string, timeout = 10000): Promise<void> {
  const freezer = makeFreezer(host, path);
  const deadline = performance.now() + timeout;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    writeValues({ path: freezer.control, values: [freezer.frozen] });
    if (freezer.isFrozen()) return;
    if (performance.now() > deadline) break;
    await delay(pause);
    if (freezer.isFrozen()) return;
    // A v1 group that forks while it freezes can hang half-way; a short thaw lets it get on.
    if (host.layout.mode !== "v2" && pause === 50)
      writeValues({ path: freezer.control, values: [freezer.thawed] });
  }
  writeValues({ path: freezer.control, values: [freezer.thawed] });
  throw system(`unable to freeze ${path}`);
}

/** Lets a frozen group go on. A group that was never frozen is none of its business. */
export function thaw(host: CgroupHost, path: string): void {
  const freezer = freezerOf(host, path);
  if (freezer && existsSync(freezer.control))
    writeValues({ path: freezer.control, values: [freezer.thawed] });
}

/** Whether a group is frozen, or on the way to it. */
export function isFrozen(host: CgroupHost, path: string): boolean {
  const freezer = freezerOf(host, path);
  if (!freezer) return false;
  const state = readOptional(freezer.control)?.trim();
  return state !== undefined && state !== freezer.thawed;
}
