import { join } from "node:path";
import type { EngineContext } from "../context.ts";
import { containerDirectory } from "../create.ts";

/** Where a machine's files are, on the host and as the hypervisor sees them. */
export interface MachinePaths {
  /** The directory of the disk. */
  files: string;
  disk: string;
  /** Sockets, while it runs. */
  run: string;
  control: string;
  agent: string;
  initrd: string;
}

export function machinePaths(context: EngineContext, id: string): MachinePaths {
  const files = join(containerDirectory(context, id), "machine");
  // On the data root's file system, which can show its owners as others; not all for the exec root can.
  const run = join(files, "run");
  return {
    files,
    disk: join(files, "disk.qcow2"),
    run,
    control: join(run, "control.sock"),
    agent: join(run, "agent.sock"),
    initrd: join(run, "initrd"),
  };
}

/** As seen from inside the hypervisor's sandbox. */
export const inside = {
  disk: "/machine/disk.qcow2",
  control: "/machine/run/control.sock",
  agent: "/machine/run/agent.sock",
  kernel: "/boot/kernel",
  initrd: "/machine/run/initrd",
};
