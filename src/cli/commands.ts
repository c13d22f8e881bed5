import type { Command } from "./command.ts";

/** A place in the tree of commands: a command, loaded when it is used, or a group of them. */
export interface Entry {
  summary: string;
  load?: () => Promise<{ command: Command }>;
  children?: Record<string, Entry>;
  /** Under which heading the program's help lists it. */
  section?: "common" | "management" | "hidden";
}

const entry = (summary: string, load: () => Promise<{ command: Command }>): Entry => ({ summary, load });
const group = (summary: string, children: Record<string, Entry>): Entry => ({
  summary,
  children,
  section: "management",
});
const common = (child: Entry): Entry => ({ ...child, section: "common" });
const hidden = (child: Entry): Entry => ({ ...child, section: "hidden" });

const create = entry("Make a container without starting it", () => import("./commands/create.ts"));
const exec = entry("Run a command in a running container", () => import("./commands/exec.ts"));
const explain = entry("Explain how a container is isolated", () => import("./commands/explain.ts"));
const logs = entry("Show what a container has written", () => import("./commands/logs.ts"));
const ps = entry("List containers", () => import("./commands/ps.ts"));
const rm = entry("Remove containers", () => import("./commands/rm.ts"));
const run = entry("Make a container from an image and run it", () => import("./commands/run.ts"));

const images = entry("List images", () => import("./commands/images.ts"));
const load = entry("Load images from a tar archive", () => import("./commands/load.ts"));

const version = entry("Show the versions of client and server", () => import("./commands/version.ts"));

/** Every command by its path. */
export const commands: Record<string, Entry> = {
  run: common(run),
  exec: common(exec),
  ps: common(ps),
  images: common(images),
  version: common(version),
  container: group("Work with containers", {
    create,
    exec,
    list: hidden(ps),
    logs,
    ls: ps,
    ps: hidden(ps),
    remove: hidden(rm),
    rm,
    run,
  }),
  image: group("Work with images", { list: hidden(images), load, ls: images }),
  create,
  explain,
  logs,
  load,
  rm,
  daemon: entry("Run the daemon", () => import("./commands/daemon.ts")),
};
