import type { Volume, VolumeCreateOptions, VolumeListResponse, VolumePruneResponse } from "@docker/node-sdk";

/** Docker's filters: a name and the values asked for, e.g. { dangling: ["true"] }. */
export type VolumeFilters = Record<string, string[]>;

/** Volumes: everything under /volumes of the Docker Engine API. */
export interface Volumes {
  list(filters?: VolumeFilters): Promise<VolumeListResponse>;
  /** An existing volume of the name is returned as it is. Without a name one is made up. */
  create(options?: VolumeCreateOptions): Promise<Volume>;
  /** Throws NOT_FOUND. */
  inspect(name: string): Promise<Volume>;
  /** Throws CONFLICT while a container has it; NOT_FOUND unless forced. */
  remove(name: string, options?: { force?: boolean }): Promise<void>;
  /** Removes what no container has; named ones too with the filter `all`. */
  prune(filters?: VolumeFilters): Promise<VolumePruneResponse>;
  /** Every volume with its size in bytes and the number of containers that have it. */
  diskUsage(): Promise<Volume[]>;
}

/** What is kept of a volume. */
export interface VolumeRecord {
  name: string;
  created: string;
  labels: Record<string, string>;
  /** Of mount(8): `type`, `o`, `device`; empty for a plain directory. */
  options: Record<string, string>;
}

export interface VolumeRequest {
  name?: string;
  driver?: string;
  labels?: Record<string, string> | null;
  options?: Record<string, string> | null;
}

/** What the store is told about the world. */
export interface VolumeStoreOptions {
  /** Ids of the containers that have a volume, by its name. */
  users(): Map<string, string[]>;
  /** Bytes of the files below a directory. */
  sizeOf(directory: string): Promise<number>;
  /** Called when something happened to a volume; `docker events` shows it. */
  onEvent(
    action: "create" | "mount" | "unmount" | "destroy" | "prune",
    name: string,
    attributes: Record<string, string>,
  ): void;
}
