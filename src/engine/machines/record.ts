import type { Container } from "../container.ts";

/** What makes a record that of a whole machine. Its process is the hypervisor, which boots a system of its own. */
export interface MachineRecord {
  /** Bytes that the guest has. */
  memory: number;
  cpus: number;
  /** The guest's system: an image's files, or whatever is on a disk. */
  source: { image: string } | { disk: string };
  /** Of the channel to the guest; empty where nothing in the guest knows of it. */
  token: string;
  /** Of the last start. */
  hypervisor: { accelerator: string; type: string; kernel: string } | null;
}

/** A container that is a machine. */
export type Machine = Container & { readonly record: { readonly machine: MachineRecord } };

export const isMachine = (container: Container): container is Machine =>
  container.record.machine !== undefined;

/** Memory that the hypervisor itself may take beside the guest's, in bytes. */
export const hypervisorOverhead = 256 * 2 ** 20;

/** The disk's name to the hypervisor. */
export const diskNode = "root";
