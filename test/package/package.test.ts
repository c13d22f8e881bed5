import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

const root = resolve(import.meta.dirname, "../..");
const project = mkdtempSync(join(tmpdir(), "berth-package-"));
after(() => rmSync(project, { recursive: true, force: true }));

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** A new TypeScript project with nothing but the packed Berth in it. */
before(() => {
  execFileSync("npm", ["pack", "--silent", "--pack-destination", project], { cwd: root, stdio: "pipe" });
  const packed = readdirSync(project).find((name) => name.endsWith(".tgz")) ?? "";
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const options = { module: "nodenext", target: "esnext", strict: true, noEmit: true, types: ["node"] };
  const typeRoots = [join(root, "node_modules/@types")];
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions: { ...options, typeRoots }, files: ["consumer.ts"] }),
  );
  copyFileSync(join(import.meta.dirname, "consumer.ts"), join(project, "consumer.ts"));
  run("npm", "install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", `./${packed}`);
});

test("the package brings nothing else", () => {
  const installed = readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."));
  assert.deepEqual(installed, ["berth"]);
});

test("its declarations are complete in a strict project", () => {
  run(join(root, "node_modules/.bin/tsc"), "--project", project);
});

test("the library runs a container from its first to its last moment", () => {
  const roots = ["data", "exec"].map((name) => join(project, name));
  const said = run(process.execPath, join(project, "consumer.ts"), ...roots);
  assert.match(said, /^second owner: CONFLICT$/m);
  assert.match(said, /^ {2}host name +library$/m);
  assert.match(said, /^ {2}process +PID 1/m);
  assert.match(said, /^ {2}memory +at most 64 MiB/m);
  assert.match(said, /^exit code: 0$/m);
  assert.match(said, /^listed: \/from-library exited$/m);
  assert.match(said, /^left: 0$/m);
});

/** The package's command line, with a Node that is new enough on PATH as its only help. */
const berth = join(project, "node_modules/.bin/berth");
const env = { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}` };

test("its programs are held with one byte for a character", () => {
  const dist = join(project, "node_modules/berth/dist");
  const programs = globSync("**/*.js", { cwd: dist });
  assert.ok(programs.length > 10, `${programs}`);
  const wide = programs.filter((name) => /[^\0-\x7f]/.test(readFileSync(join(dist, name), "utf8")));
  assert.deepEqual(wide, []);
});

test("the command line runs from the package", () => {
  const said = execFileSync(berth, ["--version"], { cwd: tmpdir(), encoding: "utf8", env });
  assert.match(said, /^Berth version \d+\.\d+\.\d+$/m);
});

test("the daemon runs from the package", async () => {
  const socket = join(project, "api.sock");
  const roots = ["--data-root", join(project, "daemon-data"), "--exec-root", join(project, "daemon-exec")];
  const daemon = spawn(berth, ["daemon", "-H", `unix://${socket}`, ...roots], { env, stdio: "ignore" });
  const ended = new Promise((resolve) => daemon.once("exit", resolve));
  try {
    for (let tries = 0; !existsSync(socket); tries++) {
      assert.ok(tries < 1000 && daemon.exitCode === null, "the daemon does not listen");
      await pause(10);
    }
    const args = ["-H", `unix://${socket}`, "run", "--rm", "--network", "none", "--cpus", "0.5", "hello"];
    const said = execFileSync(berth, args, { encoding: "utf8", env });
    assert.match(said, /^ {2}cpu +at most 0\.5 /m);
  } finally {
    daemon.kill("SIGTERM");
    await ended;
  }
});
