import type { CgroupHost, CgroupSupport } from "./support.ts";

/** Machines for tests of what is pure. */

const everything: CgroupSupport = {
  memory: true,
  swap: true,
  memoryReservation: true,
  oomKillDisable: true,
  swappiness: true,
  cpuShares: true,
  cpuCfs: true,
  cpuRealtime: true,
  cpuset: true,
  cpus: "0-3",
  mems: "0",
  cpuCount: 4,
  blkioWeight: true,
  blkioWeightDevice: true,
  bfq: true,
  blkioThrottle: true,
  pids: true,
  devices: true,
};

const v1Mounts = [["cpu", "cpuacct"], ["memory"], ["cpuset"], ["devices"], ["freezer"], ["blkio"], ["pids"]];

/** A v1 machine that can do everything, or all but what `support` says. */
export const v1Host = (support: Partial<CgroupSupport> = {}, root = "/cg"): CgroupHost => ({
  layout: {
    mode: "v1",
    hierarchies: v1Mounts.map((controllers) => ({
      controllers,
      mountpoint: `${root}/${controllers.join(",")}`,
      own: "/",
    })),
  },
  support: { ...everything, ...support },
});

/** A v2 machine with the usual controllers below `mountpoint`. */
export const v2Host = (mountpoint = "/cg", support: Partial<CgroupSupport> = {}): CgroupHost => ({
  layout: {
    mode: "v2",
    hierarchies: [],
    unified: { mountpoint, controllers: ["cpuset", "cpu", "io", "memory", "pids"], own: "/" },
  },
  support: { ...everything, oomKillDisable: false, swappiness: false, cpuRealtime: false, ...support },
});
