export { type RegistryConfig, readRegistryConfig } from "./registry/hosts.ts";
export { ImageStore, type ImageStoreOptions } from "./store.ts";
export type * from "./types.ts";
