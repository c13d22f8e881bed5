import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { BerthError } from "../../lib/errors.ts";
import { nativeFile } from "../../lib/own-file.ts";
import { type Accelerator, chooseAccelerator } from "../accelerator.ts";
import type { NetworkDevice, Share } from "../devices.ts";
import { makeInitrd } from "../initrd.ts";
import { findGuestKernel, type GuestKernel } from "../kernel.ts";
import { qemuArguments, qemuProgram } from "../qemu.ts";
import { templateSlot, templateSlots } from "../template.ts";

/** Drivers that a container's guest needs. */
const modules = ["virtio_pci", "virtio_console", "virtio_balloon", "virtiofs", "virtio_net"];
/** Where virtiofsd is, by distribution. */
const fileServers = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd"];

/** QEMU's descriptors as the supervisor hands them on: its log is 3. */
const inherited = { control: 4, monitor: 5, firstTap: 6, memory: 59, streams: 60, files: 61 } as const;
/** Whom QEMU runs as inside its sandbox. */
const emulatorUser = 65533;
const filesSocket = "/run/virtiofs.sock";
/** Where the sandbox has the kernel and its initial ram disk. */
export const boot = { kernel: "/boot/kernel", initrd: "/boot/initrd" };

/**
 * The guest kernel's arguments of a container's machine. What is put into a slot the guest looks for when it is
 * told to: a kernel that listened to its slots would at the same time power them up and take what is there for gone.
 */
export const guestArguments = (token: string): string[] => [
  "pcie_ports=compat",
  "pci=hpiosize=0,hpmemsize=1M",
  "console=ttyS0",
  "quiet",
  "panic=-1",
  "reboot=t",
  `berth.token=${token}`,
];

/** What this host makes virtual machines with. */
export interface MachineTools {
  emulator: string;
  fileServer: string;
  kernel: GuestKernel;
  initrd: string;
  accelerator: Accelerator;
}

/** Finds them; throws UNAVAILABLE and says how to get what is missing. */
export function findTools(
  options: { cache: string; kernel: string | undefined },
  places = { programs: programDirectories(), fileServers },
): MachineTools {
  const emulator = places.programs
    .map((directory) => join(directory, qemuProgram))
    .find((path) => existsSync(path));
  const fileServer = places.fileServers.find((path) => existsSync(path));
  if (!emulator || !fileServer) {
    const missing = emulator ? "virtiofsd" : `QEMU (${qemuProgram})`;
    throw new BerthError(
      "UNAVAILABLE",
      `--isolation=hyperv needs ${missing}, which is not installed: run \`scripts/setup.sh --with-vm\``,
    );
  }
  const kernel = findGuestKernel(options.kernel);
  const init = nativeFile("berth-launcher");
  const initrd = makeInitrd({ kernel, init, modules, cache: options.cache });
  return { emulator, fileServer, kernel, initrd, accelerator: chooseAccelerator() };
}

const programDirectories = (): string[] => [
  ...(process.env.PATH ?? "").split(delimiter),
  "/usr/bin",
  "/usr/local/bin",
];

/** A container's machine to be. */
export interface ContainerMachine {
  name: string;
  memory: number;
  cpus: number;
  /** Of the control channel. */
  token: string;
  /** What the guest mounts the container's root by, and where the sandbox has it. */
  rootTag: string;
  rootfs: string;
  /** The hardware addresses of its links. */
  macs: readonly string[];
  /** It goes on from a template's state instead of booting. */
  fromTemplate?: { kernelHead: string } | undefined;
}

/** The supervisor's descriptors of the files that a template is kept in. */
const savedFiles = ({ macs }: ContainerMachine) => ({
  state: inherited.firstTap + macs.length,
  memory: inherited.firstTap + macs.length + 1,
});

/** Where QEMU finds the state that a machine goes on from. */
export const savedState = (machine: ContainerMachine): string => `fd:${savedFiles(machine).state}`;

/** Devices of a container's machine that a template's has not got, and are put into slots when it goes on. */
export function plugged(machine: ContainerMachine): (NetworkDevice | Share)[] {
  const slot = (at: number) => (machine.fromTemplate ? { slot: templateSlot(at) } : {});
  return [
    { kind: "share", id: "root", tag: machine.rootTag, socket: filesSocket, ...slot(0) },
    ...machine.macs.map((mac, at) => ({
      kind: "network" as const,
      id: `net${at}`,
      fd: inherited.firstTap + at,
      mac,
      ...slot(at + 1),
    })),
  ];
}

/** What goes into the sandbox, and the supervisor's arguments. Paths are the sandbox's. */
export interface MachinePlan {
  args: string[];
  tools: { source: string; path: string; directory: boolean }[];
  links: { target: string; path: string }[];
}

/** The supervisor's command line for a container's machine: virtiofsd's and QEMU's. */
export function planMachine(tools: MachineTools, machine: ContainerMachine): MachinePlan {
  const files = [
    tools.fileServer,
    `--fd=${inherited.files}`,
    "--rlimit-nofile=0",
    ...["-o", `source=${machine.rootfs}`],
    ...["-o", "sandbox=chroot"],
    ...["-o", "xattr"],
    ...["-o", "announce_submounts"],
    ...["-o", "log_level=err"],
    "-f",
  ];
  const emulator = qemuArguments({
    name: machine.name,
    chipset: "microvm",
    accelerator: tools.accelerator,
    memory: machine.memory,
    cpus: machine.cpus,
    boot: {
      image: boot.kernel,
      ...(machine.fromTemplate ? {} : { initrd: boot.initrd }),
      commandLine: guestArguments(machine.token),
    },
    controlSocket: { listener: inherited.monitor },
    devices: [
      { kind: "port", name: "berth.control", socket: { listener: inherited.control } },
      { kind: "port", name: "berth.stdio", socket: { connection: inherited.streams } },
      { kind: "balloon" },
      ...(machine.fromTemplate ? templateSlots : []),
      ...plugged(machine),
    ],
    ...(machine.fromTemplate
      ? { paused: true, incoming: true, memoryFile: `/proc/self/fd/${inherited.memory}` }
      : {}),
  });
  const memory = machine.fromTemplate ? String(savedFiles(machine).memory) : "-";
  return {
    args: ["berth-vmm", String(emulatorUser), memory, ...files, "--", tools.emulator, ...emulator],
    tools: [
      ...systemDirectories(),
      ...(machine.fromTemplate
        ? [{ source: machine.fromTemplate.kernelHead, path: boot.kernel, directory: false }]
        : bootFiles(tools)),
    ],
    links: systemLinks(),
  };
}

const bootFiles = ({ kernel, initrd }: MachineTools) => [
  { source: kernel.image, path: boot.kernel, directory: false },
  { source: initrd, path: boot.initrd, directory: false },
];

/** What programs of the host are made of; links among them stay links. */
const system = ["/usr", "/lib", "/lib64", "/etc/ld.so.cache"];

const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

function systemDirectories() {
  return system
    .filter((path) => existsSync(path) && !isLink(path))
    .map((path) => ({ source: path, path, directory: lstatSync(path).isDirectory() }));
}

const systemLinks = () => system.filter(isLink).map((path) => ({ target: readlinkSync(path), path }));
