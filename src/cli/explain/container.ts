import { alignColumns } from "../format/columns.ts";
import { renderProgram } from "./program.ts";
import type { ContainerExplanation } from "./types.ts";

const kinds: Record<string, string> = {
  user: "ids and capabilities",
  pid: "processes",
  mnt: "mounts",
  net: "network",
  ipc: "shared memory, message queues",
  uts: "host name",
  cgroup: "view of control groups",
  time: "clocks since boot",
};

/** A running container as text: what isolates it, beside the host. */
export function renderContainer(explained: ContainerExplanation): string {
  const { name, id, image, command, status, pid, pidInside } = explained;
  const sections: [string, string[]][] = [
    ["Namespaces", namespaces(explained)],
    ["Ids", ids(explained)],
    ["Control groups", cgroups(explained)],
    ["Mounts", mounts(explained)],
    ["Capabilities of its first process", capabilities(explained)],
    ["System calls and privileges", privileges(explained)],
    ["Resource limits of its first process", limits(explained)],
  ];
  return [
    `${name} (${id.slice(0, 12)}) is ${status}: ${JSON.stringify(command)} of ${image}`,
    ...(explained.machine
      ? [
          "in a virtual machine of its own; all below is of the sandbox on the host that holds these programs",
          "",
        ]
      : []),
    ...(explained.machine?.programs ?? []).flatMap((program) => [...renderProgram(program), ""]),
    `PID ${pid} on the host, ${pidInside} inside`,
    ...sections.map(([title, lines]) => `\n${title}\n${table(lines)}`),
    "",
  ].join("\n");
}

const table = (lines: readonly string[]): string =>
  alignColumns(lines.map((line) => `  ${line}`).join("\n"), { minWidth: 0, padding: 3 });

function namespaces(explained: ContainerExplanation): string[] {
  return [
    "KIND\tOF THE CONTAINER\tOF THE HOST\tWHAT IT DIVIDES",
    ...explained.namespaces.map(
      ({ type, id, host, own }) => `${type}\t${id}\t${own ? host : "the same"}\t${kinds[type] ?? ""}`,
    ),
  ];
}

function ids({ ids: { uid, gid }, user }: ContainerExplanation): string[] {
  const range = (from: number, size: number): string =>
    size === 1 ? `${from}` : `${from}-${from + size - 1}`;
  const lines = (kind: string, map: typeof uid): string[] =>
    map.map(
      ({ inside, outside, size }) =>
        `${kind} ${range(inside, size)} inside\t${inside === outside ? "the same" : range(outside, size)} on the host`,
    );
  return [
    ...lines("users", uid),
    ...lines("groups", gid),
    `its process\tuser ${user.uid}, group ${user.gid} on the host`,
  ];
}

function cgroups(explained: ContainerExplanation): string[] {
  return explained.cgroups.flatMap(({ controllers, directory, files }) => [
    `${controllers.length > 0 ? controllers.join(",") : "v2"}: ${directory}`,
    ...files.map(({ name, value }) => `  ${name}\t${value.replaceAll("\n", "; ")}`),
  ]);
}

function mounts(explained: ContainerExplanation): string[] {
  return [
    "AT\tTYPE\tSOURCE\tOPTIONS",
    ...explained.mounts.map(({ target, type, source, root, options, propagation }) => {
      const of = root === "/" || root === "" ? source : `${source}[${root}]`;
      return `${target}\t${type}\t${of}\t${shorten([...options, ...propagation])}`;
    }),
  ];
}

/** Overlay's list of layers is long and of the host. */
function shorten(options: readonly string[]): string {
  const shown = options.map((option) => (option.length > 60 ? `${option.slice(0, 60)}…` : option));
  return shown.join(",");
}

function capabilities({ capabilities: sets }: ContainerExplanation): string[] {
  const list = (names: readonly string[]): string =>
    names.length > 0 ? names.map((name) => name.replace(/^CAP_/, "").toLowerCase()).join(" ") : "none";
  return [
    `effective\t${list(sets.effective)}`,
    `permitted\t${same(sets.permitted, sets.effective) ? "the same" : list(sets.permitted)}`,
    `bounding\t${same(sets.bounding, sets.effective) ? "the same" : list(sets.bounding)}`,
    `inheritable\t${list(sets.inheritable)}`,
    `ambient\t${list(sets.ambient)}`,
  ];
}

const same = (a: readonly string[], b: readonly string[]): boolean => a.length > 0 && a.join() === b.join();

function privileges({ seccomp, noNewPrivileges, oomScoreAdj }: ContainerExplanation): string[] {
  const filters = seccomp.mode === "filter" ? `filter, ${seccomp.filters} of them` : seccomp.mode;
  return [
    `seccomp\t${filters}`,
    `no_new_privs\t${noNewPrivileges ? "set: no exec gains rights" : "not set"}`,
    `oom_score_adj\t${oomScoreAdj}`,
  ];
}

const limits = (explained: ContainerExplanation): string[] => [
  "LIMIT\tSOFT\tHARD",
  ...explained.limits.map(({ name, soft, hard }) => `${name}\t${soft}\t${hard}`),
];
