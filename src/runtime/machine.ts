import { release } from "node:os";
import type { KernelFeatures } from "./spec/context.ts";

/** Whether the running kernel is at least major.minor. */
export function kernelAtLeast(major: number, minor: number, version: string = release()): boolean {
  const [a = 0, b = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor);
}

/** What the kernel's version promises. */
export function kernelFeatures(): KernelFeatures {
  return { idmappedOverlay: kernelAtLeast(5, 19), overlayLayerList: kernelAtLeast(6, 8) };
}
