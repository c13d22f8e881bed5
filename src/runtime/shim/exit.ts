import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ExitStatus } from "../types.ts";

/** The launcher's EXITED frame: u32 code, u32 signal, u32 OOM kill seen, u64 nanoseconds since 1970. */
export function parseExit(payload: Buffer): ExitStatus {
  return {
    exitCode: payload.readUInt32LE(0),
    signal: payload.readUInt32LE(4) || null,
    oomKilled: payload.readUInt32LE(8) !== 0,
    at: new Date(Number(payload.readBigUInt64LE(12) / 1_000_000n)),
  };
}

function readOptional(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** The exit status that a shim left in its directory, or null. */
export function readExit(dir: string): ExitStatus | null {
  const fields = readOptional(join(dir, "exit"))?.trim().split(" ");
  if (!fields) return null;
  const [code = "0", signal = "0", oom = "0", at = "0"] = fields;
  return {
    exitCode: Number(code),
    signal: Number(signal) || null,
    oomKilled: oom !== "0",
    at: new Date(Number(BigInt(at) / 1_000_000n)),
  };
}

/** The process that a shim started: its PID and start time (field 22 of /proc/PID/stat), and the shim's PID. */
export function readPid(dir: string): { pid: number; startTime: number; shimPid: number } | null {
  const fields = readOptional(join(dir, "pid"))?.trim().split(" ");
  if (!fields || fields.length < 3) return null;
  return { pid: Number(fields[0]), startTime: Number(fields[1]), shimPid: Number(fields[2]) };
}
