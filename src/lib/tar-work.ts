import { execFile } from "node:child_process";
import { system } from "./errors.ts";
import { nativeFile } from "./own-file.ts";

/**
 * Runs berth-tar (native/tar/main.c tells its commands) to its end; resolves with what it printed. Rejects with
 * what it said when it fails.
 */
export function tarWork(args: readonly string[], input?: Buffer): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = execFile(nativeFile("berth-tar"), [...args], { env: {} }, (error, stdout) => {
    if (error) reject(system(`berth-tar ${args[0]}: ${stdout.trim() || error.message}`, error));
    else resolve(stdout);
  });
  child.stdin?.on("error", reject);
  child.stdin?.end(input);
  return promise;
}
