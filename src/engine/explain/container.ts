import { readFileSync } from "node:fs";
import { conflict } from "../../lib/errors.ts";
import { namespaceId, parseMountinfo, readIdMap, readStatus } from "../../lib/proc.ts";
import { capabilitiesOf } from "../../runtime/capabilities.ts";
import type { Container } from "../container.ts";
import { isIsolated } from "../isolation/isolation.ts";
import { explainCgroups } from "./cgroups.ts";
import { runningPrograms } from "./machine.ts";
import type { ContainerExplanation } from "./types.ts";

/** Kinds of namespaces in the order of a container's making, by their files in /proc/PID/ns. */
const NAMESPACES = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"];
const SECCOMP_MODES = ["disabled", "strict", "filter"] as const;

/** What the kernel says of a running container: read from /proc and the cgroup files, changing nothing. */
export function explainContainer(container: Container): ContainerExplanation {
  const { record } = container;
  const { pid } = record.state;
  if (!container.running || pid === 0) throw conflict(`Container ${record.id} is not running`);
  const status = readStatus(pid);
  const set = (field: string): string[] => capabilitiesOf(BigInt(`0x${status.get(field) ?? "0"}`));
  return {
    id: record.id,
    name: record.name,
    image: record.config.Image ?? "",
    command: [record.path, ...record.args],
    status: record.state.status,
    ...(isIsolated(record.hostConfig) ? { machine: { programs: runningPrograms(pid) } } : {}),
    pid,
    pidInside: Number(status.get("NSpid")?.split("\t").at(-1) ?? pid),
    user: {
      uid: Number(status.get("Uid")?.split("\t")[1]),
      gid: Number(status.get("Gid")?.split("\t")[1]),
      groups: (status.get("Groups") ?? "").split(" ").filter(Boolean).map(Number),
    },
    namespaces: NAMESPACES.flatMap((type) => {
      const [id, host] = [namespaceId(pid, type), namespaceId("self", type)];
      return id && host ? [{ type, id, host, own: id !== host }] : [];
    }),
    ids: { uid: readIdMap(pid, "uid"), gid: readIdMap(pid, "gid") },
    cgroups: explainCgroups(pid),
    mounts: parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, "utf8")),
    capabilities: {
      bounding: set("CapBnd"),
      permitted: set("CapPrm"),
      effective: set("CapEff"),
      inheritable: set("CapInh"),
      ambient: set("CapAmb"),
    },
    seccomp: {
      mode: SECCOMP_MODES[Number(status.get("Seccomp") ?? 0)] ?? "disabled",
      filters: Number(status.get("Seccomp_filters") ?? 0),
    },
    noNewPrivileges: status.get("NoNewPrivs") === "1",
    oomScoreAdj: Number(readFileSync(`/proc/${pid}/oom_score_adj`, "latin1").trim()),
    limits: readLimits(pid),
  };
}

/** /proc/PID/limits: names, soft and hard values as printed there. */
function readLimits(pid: number): ContainerExplanation["limits"] {
  const [, ...lines] = readFileSync(`/proc/${pid}/limits`, "latin1").split("\n");
  return lines
    .filter((line) => line !== "")
    .map((line) => ({
      name: line.slice(4, 26).trim(),
      soft: line.slice(26, 47).trim(),
      hard: line.slice(47, 68).trim(),
    }));
}
