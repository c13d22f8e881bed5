// Makes dist/, what the published package runs: bundles of the library and the command line, and the
// library's declarations. Called by npm before it packs.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { bundleCode } from "./bundle-code.ts";
import { writeDockerTypes } from "./docker-types.ts";

const root = resolve(import.meta.dirname, "..");
const { dependencies } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8"));
if (dependencies) throw new Error("everything is bundled: a dependency belongs to devDependencies");

rmSync(resolve(root, "dist"), { recursive: true, force: true });

await bundleCode(root, "dist");

const tsc = resolve(root, "node_modules/.bin/tsc");
execFileSync(tsc, ["--project", resolve(root, "tsconfig.package.json")], { stdio: "inherit" });
writeDockerTypes(resolve(root, "dist/types"));
chmodSync(resolve(root, "bin/berth"), 0o755);
