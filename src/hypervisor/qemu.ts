import type { Accelerator } from "./accelerator.ts";
import { type Device, deviceArguments, escaped, option, type SocketPlace, socket } from "./devices.ts";

/** A Linux kernel that starts without firmware and boot loader. */
export interface KernelBoot {
  image: string;
  initrd?: string;
  /** The kernel's command line; what the accelerator needs is added. */
  commandLine: readonly string[];
}

export interface VirtualMachine {
  name: string;
  /** microvm: hardly any devices but those on PCI, starts at once. q35: a PC with firmware. */
  chipset: "microvm" | "q35";
  accelerator: Accelerator;
  /** Bytes. */
  memory: number;
  /** A file that is the memory, instead of anonymous pages. */
  memoryFile?: string;
  cpus: number;
  /** Null: the firmware boots the first disk. */
  boot: KernelBoot | null;
  devices: readonly Device[];
  /** Where QEMU listens for its control protocol. */
  controlSocket: SocketPlace;
  /** Stop before the first instruction, until told to continue. */
  paused?: boolean;
  /** Wait for a saved state, which the control protocol names. */
  incoming?: boolean;
  /** What a guest that restarts itself does to QEMU: by default it ends. */
  reboot?: "exit" | "reset";
}

/** The program, looked for in PATH. */
export const qemuProgram = "qemu-system-x86_64";

/**
 * QEMU's arguments, without the program. The serial console is on the standard streams. Everything that
 * QEMU would add by itself is off, and so are the system calls it does not need.
 */
export function qemuArguments(machine: VirtualMachine): string[] {
  const { accelerator, devices } = machine;
  return [
    ...["-name", `guest=${escaped(machine.name)}`],
    ...["-machine", machineOption(machine)],
    ...["-accel", acceleratorOption(machine)],
    ...["-cpu", accelerator.cpu],
    ...["-smp", String(machine.cpus)],
    ...["-m", `${Math.floor(machine.memory / 1024)}K`],
    ...["-object", memoryOption(machine)],
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
    ...["-chardev", socket("control", machine.controlSocket), "-mon", "chardev=control,mode=control"],
    ...(machine.boot ? bootArguments(machine.boot, accelerator) : []),
    ...deviceArguments(devices),
    ...(machine.reboot === "reset" ? [] : ["-no-reboot"]),
    ...(machine.paused ? ["-S"] : []),
    ...(machine.incoming ? ["-incoming", "defer"] : []),
  ];
}

const megabyte = 2 ** 20;
/** Bounds of an emulator's translated code, in bytes: it would grow to an eighth of the host's memory. */
const translation = { least: 24 * megabyte, most: 128 * megabyte };

function acceleratorOption({ accelerator, memory }: VirtualMachine): string {
  if (accelerator.name !== "tcg") return accelerator.argument;
  const bytes = Math.min(translation.most, Math.max(translation.least, memory / 16));
  return `${accelerator.argument},tb-size=${Math.floor(bytes / megabyte)}`;
}

/** ACPI switches it off in order. The old interrupt controller and timer would only cost time at boot. */
const microvm = {
  acpi: "on",
  pcie: "on",
  rtc: "on",
  pic: "off",
  pit: "off",
  usb: "off",
  "auto-kernel-cmdline": "off",
};

function machineOption({ chipset }: VirtualMachine): string {
  const common = { "memory-backend": "memory", "dump-guest-core": "off" };
  if (chipset === "microvm") return option("microvm", { ...microvm, ...common });
  return option("q35", { ...common, usb: "off", vmport: "off" });
}

function memoryOption({ memory, memoryFile }: VirtualMachine): string {
  const common = { id: "memory", size: memory, share: "on" };
  if (!memoryFile) return option("memory-backend-memfd", common);
  return option("memory-backend-file", { ...common, "mem-path": memoryFile });
}

function bootArguments({ image, initrd, commandLine }: KernelBoot, accelerator: Accelerator): string[] {
  const words = [...accelerator.kernelArguments, ...commandLine];
  return ["-kernel", image, ...(initrd ? ["-initrd", initrd] : []), "-append", words.join(" ")];
}
