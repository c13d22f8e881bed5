import { cpus } from "node:os";
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
  // A processor that is passed through is part of the state, too.
  const processor = accelerator.cpu === "host" ? (cpus()[0]?.model ?? "") : "";
  return {
    files: [emulator, kernel.image, initrd],
    args: [processor, ...templateArguments(tools, { memory: 0, cpus: 1 }, "", places)],
    kernel: kernel.version,
  };
}

/** The kernel and its initial ram disk, and where the hypervisor finds them. */
export const bootFiles = ({ kernel, initrd }: MachineTools) => [
  { source: kernel.image, destination: boot.kernel },
  { source: initrd, destination: boot.initrd },
];
