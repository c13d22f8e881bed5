import { conflict } from "../lib/errors.ts";
import { groupPath } from "../runtime/cgroup/group-path.ts";
import { changeGroup, createGroup, isWithin, putIntoGroup, removeGroup } from "../runtime/cgroup/manage.ts";
import { defaultSwap } from "../runtime/cgroup/resources.ts";
import { type GroupDetails, type GroupTree, groupDetails, groupTree } from "../runtime/cgroup/tree.ts";
import { type ResourceOptions, validateResources } from "../runtime/cgroup/validate.ts";
import type { EngineContext } from "./context.ts";
import type { ContainerRecord } from "./record.ts";
import type { Cgroups } from "./types.ts";

/** Control groups without containers: for people who limit what runs on the machine itself. */
export class CgroupVerbs implements Cgroups {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  async tree(path = "/"): Promise<GroupTree> {
    const owners = this.#owners();
    const named = (group: GroupTree): GroupTree => ({
      ...group,
      ...owners.get(group.path),
      children: group.children.map(named),
    });
    return named(groupTree(this.#context.cgroups, groupPath(path)));
  }

  async inspect(path: string): Promise<GroupDetails> {
    const details = groupDetails(this.#context.cgroups, groupPath(path));
    return { ...details, ...this.#owners().get(details.path) };
  }

  async create(path: string, limits: ResourceOptions): Promise<{ Path: string; Warnings: string[] }> {
    const { cgroups } = this.#context;
    const Path = groupPath(path);
    defaultSwap(limits);
    const Warnings = validateResources(limits, cgroups.support);
    await createGroup(cgroups, Path, limits);
    return { Path, Warnings };
  }

  async update(path: string, limits: ResourceOptions): Promise<{ Warnings: string[] }> {
    const { cgroups } = this.#context;
    const own = groupPath(path);
    const owner = this.#running(({ cgroupPath }) => isWithin(own, cgroupPath));
    if (owner) throw inUse(own, owner, `change its limits with: berth update ${owner.name}`);
    // What is to be lifted has no least value.
    const given = Object.entries(limits).filter(([, value]) => !(typeof value === "number" && value < 0));
    const checked: ResourceOptions = Object.fromEntries(given);
    const Warnings = validateResources(checked, cgroups.support, { update: true });
    const lifted = Object.entries(limits).filter(([key]) => !given.some(([other]) => other === key));
    changeGroup(cgroups, own, { ...checked, ...Object.fromEntries(lifted) });
    return { Warnings };
  }

  async put(path: string, pids: readonly number[]): Promise<void> {
    putIntoGroup(this.#context.cgroups, groupPath(path), pids);
  }

  async remove(path: string, options: { force?: boolean } = {}): Promise<void> {
    const own = groupPath(path);
    // A container below it would be killed behind the engine's back; the root is nobody's to remove.
    const owner =
      own === "/"
        ? undefined
        : this.#running(({ cgroupPath }) => isWithin(own, cgroupPath) || isWithin(cgroupPath, own));
    if (owner) throw inUse(own, owner, `remove that first: berth rm -f ${owner.name}`);
    await removeGroup(this.#context.cgroups, own, options.force);
  }

  /** Whose groups are whose, by path. */
  #owners(): Map<string, Pick<GroupTree, "container" | "ahead">> {
    const { table, ahead } = this.#context;
    const owners = new Map<string, Pick<GroupTree, "container" | "ahead">>();
    for (const { record } of table.all()) owners.set(record.cgroupPath, { container: record.name });
    if (ahead.group !== null) owners.set(ahead.group, { ahead: true });
    return owners;
  }

  #running(whose: (record: ContainerRecord) => boolean): ContainerRecord | undefined {
    return this.#context.table.all().find(({ running, record }) => running && whose(record))?.record;
  }
}

const inUse = (path: string, { name }: ContainerRecord, how: string) =>
  conflict(`control group ${path} is in use by container ${name}; ${how}`);
