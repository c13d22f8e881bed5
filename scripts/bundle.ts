// Makes dist/, what the published package runs: bundles of the library and the command line, and the
// library's declarations. Called by npm before it packs.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "esbuild";
import { writeDockerTypes } from "./docker-types.ts";

const root = resolve(import.meta.dirname, "..");
const { dependencies } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8"));
if (dependencies) throw new Error("everything is bundled: a dependency belongs to devDependencies");

rmSync(resolve(root, "dist"), { recursive: true, force: true });

await build({
  absWorkingDir: root,
  entryPoints: { index: "src/index.ts", cli: "src/cli/main.ts" },
  outdir: "dist",
  bundle: true,
  // A command of the command line is a chunk of its own: only what it needs is read.
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  platform: "node",
  target: "node24",
  legalComments: "linked",
  // For dependencies that are CommonJS.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  logLevel: "warning",
});

const tsc = resolve(root, "node_modules/.bin/tsc");
execFileSync(tsc, ["--project", resolve(root, "tsconfig.package.json")], { stdio: "inherit" });
writeDockerTypes(resolve(root, "dist/types"));
chmodSync(resolve(root, "bin/berth"), 0o755);
