import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { find, firstLine } from "../command.ts";

/** A program that runs an OCI bundle and exits with it: no daemon, no images, no log. */
export interface OciRuntime {
  name: string;
  version: string;
  /** The shell command that runs a bundle under an id. */
  command(bundle: string, id: string): string;
}

/** Writes a bundle whose process is `true` in the given root: the namespaces of a container without network. */
export function writeBundle(directory: string, rootfs: string): void {
  mkdirSync(directory, { recursive: true });
  const types = ["pid", "mount", "uts", "ipc", "network"];
  const config = {
    ociVersion: "1.0.2",
    process: { args: ["/bin/true"], cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } },
    root: { path: rootfs, readonly: true },
    hostname: "bench",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
    ],
    linux: { namespaces: types.map((type) => ({ type })) },
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
}

/** The OCI runtimes of this machine; `state` is a directory for their own use. */
export function installedRuntimes(state: string): OciRuntime[] {
  return ["runc", "crun"].flatMap((name) => {
    const program = find(name);
    if (program === null) return [];
    return {
      name,
      version: firstLine(program, "--version") ?? name,
      command: (bundle: string, id: string) =>
        `${program} --root ${join(state, name)} run --bundle ${bundle} ${id}`,
    };
  });
}
