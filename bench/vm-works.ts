// Containers in virtual machines of their own, beside what QEMU alone takes to boot the same kernel.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Accelerator, chooseAccelerator } from "../src/hypervisor/accelerator.ts";
import { cpioArchive } from "../src/hypervisor/cpio.ts";
import { findGuestKernel } from "../src/hypervisor/kernel.ts";
import { qemuProgram } from "../src/hypervisor/qemu.ts";
import { find, run } from "./command.ts";
import { firstProcess, remove, start } from "./containers.ts";
import { imageName } from "./image.ts";
import type { Daemon } from "./peers/daemon.ts";
import { holdersOf, proportionalBytes, proportionalBytesOf, treeOf } from "./processes.ts";
import { timed } from "./statistics.ts";
import type { Work } from "./work.ts";

const megabyte = 2 ** 20;
/** Templates are for one size of memory: the smaller machines have none, and boot. */
const size = { cold: 255 * megabyte, template: 256 * megabyte };

/** Whether this machine has what virtual machines need. */
export function hasMachines(): boolean {
  try {
    findGuestKernel();
  } catch {
    return false;
  }
  return find(qemuProgram) !== null && find("cc") !== null;
}

async function create({ api }: Daemon, memory: number, command: string[], network: string): Promise<string> {
  const { Id } = await api.json<{ Id: string }>("POST", "/containers/create", {
    Image: imageName,
    Cmd: command,
    HostConfig: { Isolation: "hyperv", Memory: memory, NetworkMode: network },
  });
  return Id;
}

/** From nothing to the exit of `true`, then its removal. */
async function life(daemon: Daemon, memory: number, network = "none"): Promise<void> {
  const id = await create(daemon, memory, ["/bin/true"], network);
  await start(daemon, id);
  const { StatusCode } = await daemon.api.json<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
  if (StatusCode !== 0) throw new Error(`true ended with ${StatusCode} in a virtual machine`);
  await remove(daemon, id);
}

/** A program that does nothing but to end the machine, as /init of an initial ram disk. */
function plainInitrd(directory: string): string {
  const [source, program, file] = ["init.c", "init", "init.cpio"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(source, "#include <sys/reboot.h>\nint main(void) { return reboot(RB_AUTOBOOT); }\n");
  execFileSync("cc", ["-static", "-Os", "-o", program, source]);
  const init = { kind: "file" as const, path: "init", mode: 0o755, content: readFileSync(program) };
  writeFileSync(file, cpioArchive([init]));
  return file;
}

/** QEMU's command line for a PC that boots the guest's kernel and ends. */
function plainBoot(initrd: string, { argument, cpu }: Accelerator): string[] {
  return [
    ...["-M", "q35", "-accel", argument, "-cpu", cpu, "-m", "256"],
    ...["-nodefaults", "-display", "none", "-no-reboot"],
    ...["-kernel", findGuestKernel().image, "-initrd", initrd, "-append", "quiet panic=-1"],
  ];
}

/** Lives that boot, that go on from a template, the same with a network; and plain QEMU in the same rounds. */
export function machineLives(daemon: Daemon, directory: string, rounds: number): Work[] {
  const common = { unit: "ms", better: "less", rounds, warmups: 1 } as const;
  const berth = (sample: () => Promise<void>) => [[daemon.name, () => timed(sample)]] as const;
  let boot: string[] = [];
  return [
    {
      ...common,
      title: "virtual machine: run to exit, cold",
      budget: 3000,
      contenders: new Map([
        ...berth(() => life(daemon, size.cold)),
        ["QEMU, a kernel alone", () => timed(() => run(qemuProgram, boot))],
      ]),
      prepare: async () => {
        boot = plainBoot(plainInitrd(directory), chooseAccelerator());
        await makeTemplate(daemon);
      },
    },
    {
      ...common,
      title: "virtual machine: run to exit, from a template",
      budget: 700,
      contenders: new Map(berth(() => life(daemon, size.template))),
    },
    {
      ...common,
      title: "the same on a bridge network, from a template",
      budget: 700,
      contenders: new Map(berth(() => life(daemon, size.template, "bridge"))),
    },
  ];
}

async function makeTemplate({ api }: Daemon): Promise<void> {
  await api.json("POST", "/berth/machine-templates", { Memory: size.template });
}

/**
 * What an idle machine costs beside its guest's memory, and how long so many take to be there together. There is a
 * template already.
 */
export function manyMachines(daemon: Daemon, count: number, rounds: number): Work[] {
  const beside: number[] = [];
  const common = { better: "less", rounds, warmups: 0 } as const;
  return [
    {
      ...common,
      title: `virtual machines: ${count} started at once, until all run`,
      unit: "ms",
      contenders: new Map([
        [
          daemon.name,
          async () => {
            const ids: string[] = [];
            try {
              const took = await timed(async () => {
                const one = async (): Promise<void> => {
                  const id = await create(daemon, size.template, ["/bin/sleep", "3600"], "bridge");
                  ids.push(id);
                  await start(daemon, id);
                };
                await Promise.all(Array.from({ length: count }, one));
              });
              await pause(3000);
              beside.push(await besideGuests(daemon, ids));
              return took;
            } finally {
              for (const id of ids) await remove(daemon, id);
            }
          },
        ],
      ]),
    },
    {
      ...common,
      title: "of each: memory beyond the guest's own",
      unit: "MB",
      budget: 60,
      contenders: new Map([[daemon.name, async () => beside.shift() ?? Number.NaN]]),
    },
  ];
}

/** Of each in the mean, all that holds it but the pages that are the guest's memory. */
async function besideGuests(daemon: Daemon, ids: string[]): Promise<number> {
  const own = daemon.processes;
  const holders = new Set<number>();
  for (const id of ids) {
    const supervisor = await firstProcess(daemon, id);
    for (const pid of [...treeOf(supervisor), ...holdersOf(supervisor, own)]) holders.add(pid);
  }
  const pids = [...holders].filter((pid) => existsSync(`/proc/${pid}`));
  return (
    (proportionalBytes(pids) - proportionalBytesOf(pids, /memfd:(guest|memory-backend)/)) /
    ids.length /
    megabyte
  );
}
