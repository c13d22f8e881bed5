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

const attach = entry("Attach to a running container", () => import("./commands/attach.ts"));
const create = entry("Make a container without starting it", () => import("./commands/create.ts"));
const diff = entry("List what a container changed in its filesystem", () => import("./commands/diff.ts"));
const exec = entry("Run a command in a running container", () => import("./commands/exec.ts"));
const explain = entry("Explain how a container is isolated", () => import("./commands/explain.ts"));
const exportContainer = entry(
  "Write a container's filesystem to a tar archive",
  () => import("./commands/export.ts"),
);
const kill = entry("Kill running containers", () => import("./commands/kill.ts"));
const logs = entry("Show what a container has written", () => import("./commands/logs.ts"));
const pause = entry("Pause all processes of containers", () => import("./commands/pause.ts"));
const port = entry("List where a container's ports are published", () => import("./commands/port.ts"));
const ps = entry("List containers", () => import("./commands/ps.ts"));
const rename = entry("Rename a container", () => import("./commands/rename.ts"));
const restart = entry("Restart containers", () => import("./commands/restart.ts"));
const rm = entry("Remove containers", () => import("./commands/rm.ts"));
const run = entry("Make a container from an image and run it", () => import("./commands/run.ts"));
const start = entry("Start stopped containers", () => import("./commands/start.ts"));
const stats = entry("Show what containers use, live", () => import("./commands/stats.ts"));
const stop = entry("Stop running containers", () => import("./commands/stop.ts"));
const top = entry("List the processes of a container", () => import("./commands/top.ts"));
const unpause = entry("Let paused containers go on", () => import("./commands/unpause.ts"));
const update = entry("Change the limits of containers", () => import("./commands/update.ts"));
const wait = entry(
  "Wait until containers stop, then print their exit codes",
  () => import("./commands/wait.ts"),
);
const cp = entry("Copy files between a container and this machine", () => import("./commands/cp.ts"));
const commit = entry("Make an image of what a container changed", () => import("./commands/commit.ts"));
const containerInspect = entry(
  "Show everything about containers",
  () => import("./commands/container-inspect.ts"),
);
const containerPrune = entry("Remove all stopped containers", () => import("./commands/container-prune.ts"));
const history = entry("List the layers of an image", () => import("./commands/history.ts"));
const build = entry("Build an image from a Dockerfile", () => import("./commands/build.ts"));
const builderUsage = entry("Show the build cache", () => import("./commands/builder-du.ts"));
const builderPrune = entry("Remove the build cache", () => import("./commands/builder-prune.ts"));
const images = entry("List images", () => import("./commands/images.ts"));
const importImage = entry(
  "Make an image of a filesystem in a tar archive",
  () => import("./commands/import.ts"),
);
const load = entry("Load images from a tar archive", () => import("./commands/load.ts"));
const pull = entry("Fetch an image from a registry", () => import("./commands/pull.ts"));
const push = entry("Send an image to a registry", () => import("./commands/push.ts"));
const save = entry("Write images to a tar archive", () => import("./commands/save.ts"));
const login = entry("Log in to a registry", () => import("./commands/login.ts"));
const logout = entry("Log out from a registry", () => import("./commands/logout.ts"));
const rmi = entry("Remove images", () => import("./commands/rmi.ts"));
const search = entry("Search Docker Hub for images", () => import("./commands/search.ts"));
const manifestInspect = entry(
  "Show a manifest, or an index of them, of a registry",
  () => import("./commands/manifest-inspect.ts"),
);
const tag = entry("Give an image another name", () => import("./commands/tag.ts"));
const imageInspect = entry("Show everything about images", () => import("./commands/image-inspect.ts"));
const imagePrune = entry("Remove unused images", () => import("./commands/image-prune.ts"));
const diskUsage = entry("Show what takes disk space", () => import("./commands/df.ts"));
const events = entry("Show what happens, as it happens", () => import("./commands/events.ts"));
const info = entry("Show the state of the engine", () => import("./commands/info.ts"));
const inspect = entry(
  "Show everything about containers, images, networks or volumes",
  () => import("./commands/inspect.ts"),
);
const version = entry("Show the versions of client and server", () => import("./commands/version.ts"));
const systemCheck = entry(
  "Compare all that is kept of images with its digests",
  () => import("./commands/system-check.ts"),
);
const systemPrune = entry("Remove everything that is not used", () => import("./commands/system-prune.ts"));
const networkConnect = entry(
  "Connect a container to a network",
  () => import("./commands/network-connect.ts"),
);
const networkCreate = entry("Make a network", () => import("./commands/network-create.ts"));
const networkDisconnect = entry(
  "Disconnect a container from a network",
  () => import("./commands/network-disconnect.ts"),
);
const networkInspect = entry("Show everything about networks", () => import("./commands/network-inspect.ts"));
const networkLs = entry("List networks", () => import("./commands/network-ls.ts"));
const networkPrune = entry("Remove unused networks", () => import("./commands/network-prune.ts"));
const networkRepair = entry(
  "Load the rules of networks and published ports again, after they were flushed",
  () => import("./commands/network-repair.ts"),
);
const networkRm = entry("Remove networks", () => import("./commands/network-rm.ts"));
const cgroupCreate = entry("Make a control group", () => import("./commands/cgroup-create.ts"));
const cgroupLs = entry("List control groups as a tree", () => import("./commands/cgroup-ls.ts"));
const cgroupRm = entry("Remove control groups", () => import("./commands/cgroup-rm.ts"));
const cgroupSet = entry("Change a control group's limits", () => import("./commands/cgroup-set.ts"));
const cgroupShow = entry("Show all about control groups", () => import("./commands/cgroup-show.ts"));
const volumeCreate = entry("Make a volume", () => import("./commands/volume-create.ts"));
const volumeInspect = entry("Show everything about volumes", () => import("./commands/volume-inspect.ts"));
const volumeLs = entry("List volumes", () => import("./commands/volume-ls.ts"));
const volumePrune = entry("Remove unused volumes", () => import("./commands/volume-prune.ts"));
const volumeRm = entry("Remove volumes that no container uses", () => import("./commands/volume-rm.ts"));

const vmConsole = entry(
  "Work at the serial console of a virtual machine",
  () => import("./commands/vm-console.ts"),
);
const vmCreate = entry("Make a virtual machine", () => import("./commands/vm-create.ts"));
const vmExec = entry("Run a command in a virtual machine", () => import("./commands/vm-exec.ts"));
const vmInspect = entry("Show everything about virtual machines", () => import("./commands/vm-inspect.ts"));
const vmLogs = entry("Show what was written to a serial console", () => import("./commands/vm-logs.ts"));
const vmLs = entry("List virtual machines", () => import("./commands/vm-ls.ts"));
const vmRestart = entry("Restart virtual machines", () => import("./commands/vm-restart.ts"));
const vmRm = entry("Remove virtual machines", () => import("./commands/vm-rm.ts"));
const vmStart = entry("Start virtual machines", () => import("./commands/vm-start.ts"));
const vmStop = entry("Stop virtual machines", () => import("./commands/vm-stop.ts"));
const vmSnapshotCreate = entry(
  "Keep the state of a machine",
  () => import("./commands/vm-snapshot-create.ts"),
);
const vmSnapshotLs = entry("List the snapshots of a machine", () => import("./commands/vm-snapshot-ls.ts"));
const vmSnapshotRestore = entry(
  "Take a machine back to a snapshot",
  () => import("./commands/vm-snapshot-restore.ts"),
);
const vmSnapshotRm = entry("Remove a snapshot", () => import("./commands/vm-snapshot-rm.ts"));

const vmTemplateCreate = entry(
  "Make a template for containers",
  () => import("./commands/vm-template-create.ts"),
);
const vmTemplateLs = entry("List templates", () => import("./commands/vm-template-ls.ts"));
const vmTemplateRm = entry("Remove templates", () => import("./commands/vm-template-rm.ts"));

/** Every command by its path. */
export const commands: Record<string, Entry> = {
  run: common(run),
  exec: common(exec),
  ps: common(ps),
  pull: common(pull),
  push: common(push),
  images: common(images),
  search: common(search),
  login: common(login),
  logout: common(logout),
  version: common(version),
  build: common(build),
  info: common(info),
  cgroup: group("Work with control groups", {
    create: cgroupCreate,
    list: hidden(cgroupLs),
    ls: cgroupLs,
    remove: hidden(cgroupRm),
    rm: cgroupRm,
    set: cgroupSet,
    show: cgroupShow,
  }),
  container: group("Work with containers", {
    attach,
    commit,
    cp,
    create,
    diff,
    exec,
    export: exportContainer,
    inspect: containerInspect,
    kill,
    list: hidden(ps),
    logs,
    ls: ps,
    pause,
    port,
    prune: containerPrune,
    ps: hidden(ps),
    remove: hidden(rm),
    rename,
    restart,
    rm,
    run,
    start,
    stats,
    stop,
    top,
    unpause,
    update,
    wait,
  }),
  builder: group("Work with builds", { build: hidden(build), du: builderUsage, prune: builderPrune }),
  image: group("Work with images", {
    build,
    history,
    import: importImage,
    inspect: imageInspect,
    list: hidden(images),
    load,
    ls: images,
    prune: imagePrune,
    pull,
    push,
    remove: hidden(rmi),
    rm: rmi,
    save,
    search: hidden(search),
    tag,
  }),
  manifest: group("Look at what registries have", { inspect: manifestInspect }),
  network: group("Work with networks", {
    connect: networkConnect,
    create: networkCreate,
    disconnect: networkDisconnect,
    inspect: networkInspect,
    list: hidden(networkLs),
    ls: networkLs,
    prune: networkPrune,
    remove: hidden(networkRm),
    repair: networkRepair,
    rm: networkRm,
  }),
  system: group("Look after the engine", {
    check: systemCheck,
    df: diskUsage,
    events,
    info,
    prune: systemPrune,
  }),
  vm: group("Work with virtual machines", {
    console: vmConsole,
    create: vmCreate,
    exec: vmExec,
    inspect: vmInspect,
    list: hidden(vmLs),
    logs: vmLogs,
    ls: vmLs,
    remove: hidden(vmRm),
    restart: vmRestart,
    rm: vmRm,
    snapshot: group("Work with snapshots of virtual machines", {
      create: vmSnapshotCreate,
      list: hidden(vmSnapshotLs),
      ls: vmSnapshotLs,
      remove: hidden(vmSnapshotRm),
      restore: vmSnapshotRestore,
      rm: vmSnapshotRm,
    }),
    start: vmStart,
    template: group("Work with templates of containers' machines", {
      create: vmTemplateCreate,
      list: hidden(vmTemplateLs),
      ls: vmTemplateLs,
      remove: hidden(vmTemplateRm),
      rm: vmTemplateRm,
    }),
    stop: vmStop,
  }),
  volume: group("Work with volumes", {
    create: volumeCreate,
    inspect: volumeInspect,
    list: hidden(volumeLs),
    ls: volumeLs,
    prune: volumePrune,
    remove: hidden(volumeRm),
    rm: volumeRm,
  }),
  __complete: hidden(entry("Answer a shell's completion script", () => import("./commands/complete.ts"))),
  attach,
  commit,
  completion: entry("Print a shell's completion script", () => import("./commands/completion.ts")),
  cp,
  create,
  explain,
  daemon: entry("Run the daemon", () => import("./commands/daemon.ts")),
  diff,
  events,
  export: exportContainer,
  history,
  import: importImage,
  inspect,
  kill,
  load,
  logs,
  pause,
  port,
  rename,
  restart,
  rm,
  rmi,
  save,
  start,
  stats,
  stop,
  tag,
  top,
  unpause,
  update,
  wait,
};
