// Rules of the house that no linter knows.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { test } from "node:test";

const root = resolve(import.meta.dirname, "..");
const written = new Set([".ts", ".c", ".h", ".sh", ".md", ".json", ""]);
const generated = new Set(["package-lock.json"]);
/** Longest file, in lines: a file is one idea. */
const longest = 500;

/** The text of every file that git knows of or would add, without what is made by a tool. */
function sources(): { path: string; text: string }[] {
  const listed = execFileSync(
    "git",
    ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  const paths = listed
    .split("\n")
    .filter((path) => path !== "" && written.has(extname(path)) && !generated.has(path));
  const files: { path: string; text: string }[] = [];
  for (const path of paths) {
    try {
      files.push({ path, text: readFileSync(resolve(root, path), "utf8") });
    } catch (error) {
      // Deleted and not committed yet, or a link to a directory.
      if (!["ENOENT", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
  return files;
}

function offenders(pattern: RegExp, only: (path: string) => boolean): string[] {
  return sources()
    .filter(({ path }) => only(path))
    .flatMap(({ path, text }) =>
      text
        .split("\n")
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
}

const code = (path: string) => /\.(ts|c|h|sh)$/.test(path) && path !== "test/house.test.ts";
const everything = (path: string) => path !== "test/house.test.ts";

test(`no file is longer than ${longest} lines`, () => {
  const long = sources()
    .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > longest)
    .map(({ path, lines }) => `${path} has ${lines}`);
  assert.deepEqual(long, []);
});

test("nothing is left for later without saying so as a limit", () => {
  assert.deepEqual(offenders(/\b(TODO|FIXME|XXX|HACK)\b/, everything), []);
});

test("no check of the compiler or the linter is switched off", () => {
  const switches =
    /@ts-ignore|@ts-expect-error|@ts-nocheck|as unknown as|biome-ignore(?!.*: .)|eslint-disable/;
  assert.deepEqual(offenders(switches, code), []);
});

test("no path of one machine is in the code or the documents", () => {
  assert.deepEqual(offenders(/\/(work\/(wt|main|shared|repo)|home\/\w+|Users\/\w+)\b/, everything), []);
});

test("everything is bundled: the package has no dependencies of its own", () => {
  const { dependencies } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(dependencies ?? {}), []);
});

test("the version is the same everywhere", () => {
  const { version } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8"));
  const written = offenders(/berthVersion\s*=\s*"/, code);
  assert.ok(written.length > 0);
  for (const place of written) assert.match(place, new RegExp(`"${version.replaceAll(".", "\\.")}"`));
});

test("links in the documents lead somewhere", () => {
  const broken = sources()
    .filter(({ path }) => path.endsWith(".md"))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].flatMap(([, target = ""]) =>
        existsSync(resolve(root, dirname(path), target)) ? [] : [`${path}: ${target}`],
      ),
    );
  assert.deepEqual(broken, []);
});
