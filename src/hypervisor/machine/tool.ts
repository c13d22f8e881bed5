import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { BerthError, system } from "../../lib/errors.ts";

const run = promisify(execFile);
const environment = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

/** The packages that bring the programs, for who has not got them. */
const packages: Record<string, string> = {
  "qemu-img": "qemu-utils",
  mke2fs: "e2fsprogs",
  unshare: "util-linux",
};

/** Runs a program to its end and resolves with what it printed. Rejects with the last line of what it said. */
export async function tool(program: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(program, args, { env: environment, maxBuffer: 16 << 20 });
    return stdout;
  } catch (error) {
    throw failure(program, error);
  }
}

function failure(program: string, error: unknown): BerthError {
  if (!(error instanceof Error)) return system(`${program}: ${error}`, error);
  if ("code" in error && error.code === "ENOENT") {
    const name = packages[program] ?? program;
    return new BerthError(
      "UNAVAILABLE",
      `${program} is not installed: run \`scripts/setup.sh --with-vm\`, or install the package ${name}`,
      { cause: error },
    );
  }
  const said = "stderr" in error ? String(error.stderr).trim().split("\n").at(-1) : "";
  return system(said || `${program} failed: ${error.message}`, error);
}
