import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { find, firstLine } from "../command.ts";
import { pushHost, registryHost } from "../registry.ts";
import type { Engine } from "./daemon.ts";

const repository = resolve(import.meta.dirname, "../..");
export const berthProgram = join(repository, "bin/berth");

function berth(): Engine | null {
  const version = firstLine(berthProgram, "--version");
  if (version === null) return null;
  return {
    name: "berth",
    version,
    program: berthProgram,
    args: (directory, socket) => [
      "daemon",
      "-H",
      `unix://${socket}`,
      "--data-root",
      join(directory, "data"),
      "--exec-root",
      join(directory, "exec"),
      "--pidfile",
      join(directory, "pid"),
      // Else machines are made beside what is measured.
      "--no-guest-templates",
    ],
  };
}

function dockerd(): Engine | null {
  const program = find("dockerd");
  if (program === null) return null;
  return {
    name: "dockerd",
    version: firstLine(program, "--version") ?? "dockerd",
    program,
    args: (directory, socket) => [
      "--host",
      `unix://${socket}`,
      "--data-root",
      join(directory, "data"),
      "--exec-root",
      join(directory, "exec"),
      "--pidfile",
      join(directory, "pid"),
      "--log-level=error",
    ],
  };
}

function podman(): Engine | null {
  const program = find("podman");
  if (program === null) return null;
  return {
    name: "podman",
    version: firstLine(program, "--version") ?? "podman",
    program,
    args: (directory, socket) => [
      `--root=${join(directory, "data")}`,
      `--runroot=${join(directory, "run")}`,
      `--tmpdir=${join(directory, "tmp")}`,
      "system",
      "service",
      "--time=0",
      `unix://${socket}`,
    ],
    // runc, because crun refuses a machine with cgroups of both versions; the limits, because a root
    // without CAP_SYS_RESOURCE may not raise them to Podman's defaults.
    prepare: (directory) => {
      const file = join(directory, "containers.conf");
      writeFileSync(
        file,
        [
          "[containers]",
          'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]',
          "[engine]",
          'cgroup_manager = "cgroupfs"',
          'runtime = "runc"',
          'events_logger = "file"',
          "",
        ].join("\n"),
      );
      const registries = join(directory, "registries.conf");
      const insecure = (host: string): string => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`;
      writeFileSync(registries, insecure(registryHost) + insecure(pushHost));
      return { CONTAINERS_CONF: file, CONTAINERS_REGISTRIES_CONF: registries };
    },
  };
}

/** The engines of this machine, Berth first. */
export function installedEngines(): Engine[] {
  return [berth(), dockerd(), podman()].filter((engine) => engine !== null);
}
