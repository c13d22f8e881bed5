// Runs end-to-end tests in a virtual machine whose control groups are version 2 alone:
// node scripts/test-v2.ts [FILE...]
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { runInGuest } from "../test/guest/guest.ts";

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

const given = process.argv.slice(2);
const files = given.length > 0 ? given : globSync(selection).sort();
const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const command = [
  `cd ${quote(root)}`,
  `export BERTH_TEST_PATIENCE=${patience}`,
  `exec ${quote(join(root, "node_modules/.bin/node"))} scripts/test.ts e2e -- ${files.map(quote).join(" ")}`,
].join("\n");

try {
  process.exitCode = await runInGuest({
    command,
    memory,
    cpus: 2,
    timeout: longest,
    onOutput: (chunk) => process.stdout.write(chunk),
  });
} catch (error) {
  console.error(`test:v2: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
