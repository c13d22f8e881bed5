import type { Accelerator } from "./accelerator.ts";
import { type Bus, type Device, deviceArguments, escaped, option, socket } from "./devices.ts";

/** A Linux kernel that starts without firmware and boot loader. */
export interface KernelBoot {
  image: string;
  initrd: string;
  /** The kernel's command line; what the accelerator needs is added. */
  commandLine: readonly string[];
}

export interface VirtualMachine {
  name: string;
  /** microvm: no PCI and hardly any devices, starts at once. q35: a PC with firmware. */
  chipset: "microvm" | "q35";
  accelerator: Accelerator;
  /** Bytes. */
  memory: number;
  /** A file that is the memory, instead of anonymous pages; `private` leaves the file as it is. */
  memoryFile?: { path: string; private: boolean };
  cpus: number;
  /** Null: the firmware boots the first disk. */
  boot: KernelBoot | null;
  devices: readonly Device[];
  /** Where QEMU listens for its control protocol. */
  controlSocket: string;
  /** Stop before the first instruction, until told to continue. */
  paused?: boolean;
  /** Wait for a saved state, which the control protocol names. */
  incoming?: boolean;
  /** What a guest that restarts itself does to QEMU: by default it ends. */
  reboot?: "exit" | "reset";
}

const buses: Record<VirtualMachine["chipset"], Bus> = { microvm: "mmio", q35: "pci" };

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
    ...["-accel", accelerator.argument],
    ...["-cpu", accelerator.cpu],
    ...["-smp", String(machine.cpus)],
    ...["-m", `${Math.floor(machine.memory / 1024)}K`],
    ...["-object", memoryOption(machine)],
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...(machine.chipset === "microvm" ? ["-global", "virtio-mmio.force-legacy=false"] : []),
    ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
    ...["-chardev", socket("control", machine.controlSocket), "-mon", "chardev=control,mode=control"],
    ...(machine.boot ? bootArguments(machine.boot, accelerator) : []),
    ...deviceArguments(devices, buses[machine.chipset]),
    ...(machine.reboot === "reset" ? [] : ["-no-reboot"]),
    ...(machine.paused ? ["-S"] : []),
    ...(machine.incoming ? ["-incoming", "defer"] : []),
  ];
}

function machineOption({ chipset }: VirtualMachine): string {
  const common = { "memory-backend": "memory", "dump-guest-core": "off" };
  // With ACPI it has room for more than eight devices, and can be switched off in order.
  if (chipset === "microvm")
    return option("microvm", { acpi: "on", "auto-kernel-cmdline": "off", ...common });
  return option("q35", { ...common, usb: "off", vmport: "off" });
}

function memoryOption({ memory, memoryFile }: VirtualMachine): string {
  const common = { id: "memory", size: memory };
  if (!memoryFile) return option("memory-backend-memfd", { ...common, share: "on" });
  const share = memoryFile.private ? "off" : "on";
  return option("memory-backend-file", { ...common, "mem-path": memoryFile.path, share });
}

function bootArguments({ image, initrd, commandLine }: KernelBoot, accelerator: Accelerator): string[] {
  const words = [...accelerator.kernelArguments, ...commandLine];
  return ["-kernel", image, "-initrd", initrd, "-append", words.join(" ")];
}
