import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where a program is on PATH, or null. */
export function find(program: string): string | null {
  for (const directory of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here; look further.
    }
  }
  return null;
}

/** The first line a program prints, or null when it is not installed or fails. */
export function firstLine(program: string, ...args: string[]): string | null {
  const answer = spawnSync(program, args, { encoding: "utf8" });
  return answer.status === 0 ? (answer.stdout.split("\n")[0] ?? null) : null;
}

/** Runs a program to its end without output; rejects with its error output when it fails. */
export function run(program: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], env });
    let complaint = "";
    child.stderr.on("data", (part: Buffer) => {
      complaint += part;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ${args.join(" ")}: ${signal ?? `exit code ${code}`}: ${complaint}`));
    });
  });
}
