import { readFileSync } from "node:fs";
import { release } from "node:os";
import { rlimits } from "./linux.ts";
import type { KernelFeatures } from "./spec/context.ts";

const limitNames: Record<string, string> = {
  "Max cpu time": "RLIMIT_CPU",
  "Max file size": "RLIMIT_FSIZE",
  "Max data size": "RLIMIT_DATA",
  "Max stack size": "RLIMIT_STACK",
  "Max core file size": "RLIMIT_CORE",
  "Max resident set": "RLIMIT_RSS",
  "Max processes": "RLIMIT_NPROC",
  "Max open files": "RLIMIT_NOFILE",
  "Max locked memory": "RLIMIT_MEMLOCK",
  "Max address space": "RLIMIT_AS",
  "Max file locks": "RLIMIT_LOCKS",
  "Max pending signals": "RLIMIT_SIGPENDING",
  "Max msgqueue size": "RLIMIT_MSGQUEUE",
  "Max nice priority": "RLIMIT_NICE",
  "Max realtime priority": "RLIMIT_RTPRIO",
  "Max realtime timeout": "RLIMIT_RTTIME",
};

/** Hard limits by resource number, from the text of /proc/PID/limits; unlimited is 2^64 - 1. */
export function hardLimits(text: string = readFileSync("/proc/self/limits", "latin1")): Map<number, bigint> {
  const limits = new Map<number, bigint>();
  for (const line of text.split("\n")) {
    const resource = rlimits[limitNames[line.slice(0, 25).trim()] ?? ""];
    const hard = line.slice(47, 68).trim();
    if (resource !== undefined)
      limits.set(resource, hard === "unlimited" ? 0xffff_ffff_ffff_ffffn : BigInt(hard));
  }
  return limits;
}

/** Whether the running kernel is at least major.minor. */
export function kernelAtLeast(major: number, minor: number, version: string = release()): boolean {
  const [a = 0, b = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor);
}

/** What the kernel's version promises. */
export function kernelFeatures(): KernelFeatures {
  return { idmappedOverlay: kernelAtLeast(5, 19), overlayLayerList: kernelAtLeast(6, 8) };
}
