import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { build } from "esbuild";

/** Bundles the library and the command line of a checkout into `outdir`, below it. */
export async function bundleCode(root: string, outdir: string): Promise<void> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { index: "src/index.ts", cli: "src/cli/main.ts" },
    outdir,
    write: false,
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
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, path.endsWith(".js") ? escaped(text) : text);
  }
}

/**
 * A program with one character outside of ISO 8859-1 is held with two bytes for each: a megabyte for a comment.
 * esbuild escapes those in strings; what is left is in comments and regular expressions.
 */
const escaped = (program: string): string =>
  program.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
