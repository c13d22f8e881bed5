// Runs end-to-end tests in a virtual machine whose control groups are version 2 alone:
// node scripts/test-v2.ts [FILE...]
import { cpSync, globSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { runInGuest } from "../test/guest/guest.ts";
import { bundleCode } from "./bundle-code.ts";

const root = resolve(import.meta.dirname, "..");
process.chdir(root);

/** What depends on control groups or on the kernel, as far as an emulated machine gets in ten minutes. */
const selection = [
  "test/cgroup/*.test.ts",
  "test/policy/{group-*,limits,isolation}.test.ts",
  "test/lifecycle/lifecycle.test.ts",
  "test/crash/*.test.ts",
];

/** Emulation makes everything slower by about this much. */
const patience = 6;
const longest = 20 * 60 * 1000;
const memory = 3 * 2 ** 30;

/** Berth as its package has it: emulated, a daemon of single sources takes five times as long to start. */
async function makePackage(): Promise<string> {
  const directory = join(root, ".cache/guest-package");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  cpSync(join(root, "bin"), join(directory, "bin"), { recursive: true });
  cpSync(join(root, "package.json"), join(directory, "package.json"));
  for (const name of ["native", "node_modules"]) symlinkSync(join(root, name), join(directory, name));
  await bundleCode(root, join(directory, "dist"));
  return join(directory, "bin/berth");
}

const given = process.argv.slice(2);
const files = given.length > 0 ? given : globSync(selection).sort();
const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const command = async (): Promise<string> =>
  [
    `cd ${quote(root)}`,
    `export BERTH_TEST_PATIENCE=${patience} BERTH_TEST_PROGRAM=${quote(await makePackage())}`,
    `exec ${quote(join(root, "node_modules/.bin/node"))} scripts/test.ts e2e -- ${files.map(quote).join(" ")}`,
  ].join("\n");

try {
  process.exitCode = await runInGuest({
    command: await command(),
    memory,
    cpus: 2,
    timeout: longest,
    onOutput: (chunk) => process.stdout.write(chunk),
  });
} catch (error) {
  console.error(`test:v2: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
