// Which code `bin/berth` runs in a checkout: the sources, or for the daemon what was bundled of them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

const repository = resolve(import.meta.dirname, "../..");
/** Longer than the tick of the clock from which files have their times. Milliseconds. */
const tick = 20;
let checkout: string;

const path = (name: string): string => join(checkout, name);

function write(name: string, text: string): void {
  mkdirSync(dirname(path(name)), { recursive: true });
  writeFileSync(path(name), text);
}

const run = (...args: string[]): string => execFileSync(path("bin/berth"), args, { encoding: "utf8" }).trim();

/** A checkout as setup.sh leaves it, whose programs say what they are. */
beforeEach(async () => {
  checkout = mkdtempSync(join(tmpdir(), "berth-checkout-"));
  mkdirSync(path("bin"));
  copyFileSync(join(repository, "bin/berth"), path("bin/berth"));
  symlinkSync(join(repository, "node_modules"), path("node_modules"));
  write("package.json", '{ "type": "module" }');
  write("package-lock.json", "{}");
  write("src/cli/main.ts", 'console.log("sources");');
  write("src/engine/engine.ts", "export {};");
  write(".cache/bundle/cli.js", 'console.log("bundle");');
  await pause(tick);
  write(".cache/bundle/begun", "");
  await pause(tick);
});
afterEach(() => rmSync(checkout, { recursive: true }));

test("a daemon runs the bundle, everything else the sources", () => {
  assert.equal(run("daemon"), "bundle");
  assert.equal(run("version"), "sources");
  assert.equal(run(), "sources");
});

const changes: Record<string, () => void> = {
  "is written": () => write("src/engine/engine.ts", "export { };"),
  "is new": () => write("src/engine/other.ts", ""),
  "is gone": () => rmSync(path("src/engine/engine.ts")),
  "comes from an archive, with its own old time": () => {
    write("src/engine/engine.ts", "");
    for (const name of ["src/engine/engine.ts", "src/engine"]) utimesSync(path(name), 0, 0);
  },
};
for (const [how, change] of Object.entries(changes))
  test(`a daemon runs the sources when one ${how}`, () => {
    change();
    assert.equal(run("daemon"), "sources");
  });

test("a daemon runs the sources when the packages have changed or there is no bundle", () => {
  write("package-lock.json", "{ }");
  assert.equal(run("daemon"), "sources");
  rmSync(path(".cache/bundle"), { recursive: true });
  assert.equal(run("daemon"), "sources");
});

test("a package has no sources: everything is the bundle in dist", () => {
  rmSync(path("src"), { recursive: true });
  rmSync(path(".cache"), { recursive: true });
  write("dist/cli.js", 'console.log("dist");');
  assert.equal(run("daemon"), "dist");
  assert.equal(run("version"), "dist");
});
