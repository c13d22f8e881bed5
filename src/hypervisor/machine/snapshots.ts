import { conflict, invalid, notFound } from "../../lib/errors.ts";
import type { MachineControl } from "./control.ts";
import { diskInfo, type SnapshotInfo } from "./disk.ts";
import { tool } from "./tool.ts";

/** A machine's disk, and its hypervisor while it runs. */
export interface SnapshotDisk {
  file: string;
  /** The disk's name to the hypervisor. */
  node: string;
  control: MachineControl | null;
}

/** The snapshots of a disk, oldest first. */
export async function listSnapshots({ file }: SnapshotDisk): Promise<SnapshotInfo[]> {
  const { snapshots } = await diskInfo(file);
  return snapshots.sort((a, b) => a.created - b.created);
}

/** A running machine's snapshot holds its memory, too. Throws CONFLICT when the name is taken. */
export async function createSnapshot(disk: SnapshotDisk, name: string): Promise<void> {
  checkName(name);
  if (await find(disk, name)) throw conflict(`there is a snapshot ${name} already`);
  if (disk.control) await disk.control.saveSnapshot(name, disk.node);
  else await tool("qemu-img", ["snapshot", "-c", name, disk.file]);
}

/**
 * Goes back to a snapshot: a running machine is at once what it was. Of one that does not run only the disk
 * goes back; so a snapshot without memory can only be restored then.
 */
export async function restoreSnapshot(disk: SnapshotDisk, name: string): Promise<void> {
  const snapshot = await known(disk, name);
  if (!disk.control) {
    await tool("qemu-img", ["snapshot", "-a", name, disk.file]);
    return;
  }
  if (snapshot.memory === 0)
    throw conflict(`the snapshot ${name} was taken of a machine that did not run: stop the machine first`);
  await disk.control.loadSnapshot(name, disk.node);
}

export async function removeSnapshot(disk: SnapshotDisk, name: string): Promise<void> {
  await known(disk, name);
  if (disk.control) await disk.control.deleteSnapshot(name, disk.node);
  else await tool("qemu-img", ["snapshot", "-d", name, disk.file]);
}

async function find(disk: SnapshotDisk, name: string): Promise<SnapshotInfo | undefined> {
  return (await listSnapshots(disk)).find((snapshot) => snapshot.name === name);
}

async function known(disk: SnapshotDisk, name: string): Promise<SnapshotInfo> {
  const snapshot = await find(disk, name);
  if (!snapshot) throw notFound(`No such snapshot: ${name}`);
  return snapshot;
}

function checkName(name: string): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name) || /^\d+$/.test(name))
    throw invalid(
      `invalid snapshot name ${JSON.stringify(name)}: letters, digits, "_", "." and "-", not digits alone`,
    );
}
