import { build } from "esbuild";

/** Bundles the library and the command line of a checkout into `outdir`, below it. */
export async function bundleCode(root: string, outdir: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: { index: "src/index.ts", cli: "src/cli/main.ts" },
    outdir,
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
}
