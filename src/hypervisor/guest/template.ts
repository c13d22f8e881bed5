import { open, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { qemuArguments } from "../qemu.ts";
import { type TemplateSize, type TemplateSource, templateSlots } from "../template.ts";
import { boot, guestArguments, type MachineTools } from "./machine.ts";

/** Files of a template while it is made, as its hypervisor sees them. */
export interface TemplatePlaces {
  memory: string;
  monitor: string;
  control: string;
  streams: string;
}

/**
 * QEMU's arguments for a template: the devices of a container's machine in the same order, but for those that are
 * put into the slots.
 */
export function templateArguments(
  tools: MachineTools,
  size: TemplateSize,
  token: string,
  places: TemplatePlaces,
): string[] {
  return qemuArguments({
    name: "template",
    chipset: "microvm",
    accelerator: tools.accelerator,
    ...size,
    memoryFile: places.memory,
    boot: { image: boot.kernel, initrd: boot.initrd, commandLine: guestArguments(token) },
    controlSocket: places.monitor,
    devices: [
      { kind: "port", name: "berth.control", socket: places.control },
      { kind: "port", name: "berth.stdio", socket: places.streams },
      { kind: "balloon" },
      ...templateSlots,
    ],
  });
}

/** What templates made with these tools depend on. */
export function templateSource(tools: MachineTools): TemplateSource {
  const places = { memory: "", monitor: "", control: "", streams: "" };
  const { emulator, kernel, initrd, accelerator } = tools;
  // A processor that is passed through is part of the state, and so is what the host's kernel keeps of it.
  const processor = accelerator.cpu === "host" ? `${cpus()[0]?.model} ${release()}` : "";
  return {
    files: [emulator, kernel.image, initrd],
    args: [processor, ...templateArguments(tools, { memory: 0, cpus: 1 }, "", places)],
    kernel: kernel.version,
  };
}

/** Beyond the set-up code that a kernel begins with. */
const headSize = 64 << 10;

/**
 * QEMU reads the kernel of a machine that does not boot, too, and keeps it: its beginning is enough for a machine
 * with the same devices.
 */
export async function writeKernelHead({ kernel }: MachineTools, file: string): Promise<void> {
  await using image = await open(kernel.image);
  const { buffer, bytesRead } = await image.read(Buffer.alloc(headSize), 0, headSize, 0);
  await writeFile(file, buffer.subarray(0, bytesRead), { mode: 0o644 });
}

/** The kernel and its initial ram disk, and where the hypervisor finds them. */
export const bootFiles = ({ kernel, initrd }: MachineTools) => [
  { source: kernel.image, destination: boot.kernel },
  { source: initrd, destination: boot.initrd },
];
