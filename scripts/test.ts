// Runs all tests or the named stages: node scripts/test.ts [STAGE...] [-- FILE...]
import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";

interface Stage {
  name: string;
  what: string;
  /** Null when there is nothing to run. */
  command: string[] | null;
  needsRoot?: boolean;
  env?: Record<string, string>;
}

interface Outcome {
  stage: Stage;
  state: "passed" | "failed" | "not run";
  seconds: number;
  counts: Counts | null;
  note: string;
}

/** What node's test runner says of a run in its closing lines. */
interface Counts {
  pass: number;
  fail: number;
  cancelled: number;
  skipped: number;
}

const root = resolve(import.meta.dirname, "..");
process.chdir(root);
process.env.PATH = [
  join(root, "node_modules/.bin"),
  // Fetched at set-up where the machine's docker command line is missing or too old.
  join(root, ".cache/docker/usr/bin"),
  process.env.PATH,
].join(":");

const separator = process.argv.indexOf("--");
const wanted = process.argv.slice(2, separator < 0 ? undefined : separator);
const files = separator < 0 ? [] : process.argv.slice(separator + 1);

/** How many times longer than usual things may take. */
const patience = Number(process.env.BERTH_TEST_PATIENCE) || 1;

/** A hung test fails after three minutes instead of holding the run; a longer one says so itself. */
const longestTest = 3 * 60 * 1000 * patience;

function nodeTests(patterns: string[], concurrency: number): string[] | null {
  const found = files.length > 0 ? files : globSync(patterns).sort();
  if (found.length === 0) return null;
  return [
    process.execPath,
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${longestTest}`,
    ...found,
  ];
}

const nativeMakefiles = globSync(["native/Makefile", "native/*/Makefile"])
  .filter((file) => /^test:/m.test(readFileSync(file, "utf8")))
  .sort();
const stages: Stage[] = [
  { name: "lint", what: "biome", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "types", what: "tsc", command: ["tsc", "--noEmit"] },
  {
    name: "native",
    what: "make test",
    command: [
      "sh",
      "-ec",
      nativeMakefiles.map((file) => `make --silent -C ${file.replace("/Makefile", "")} test`).join("\n"),
    ],
  },
  {
    name: "unit",
    what: "src, house",
    command: nodeTests(
      ["src/**/*.test.ts", "bench/**/*.test.ts", "scripts/**/*.test.ts", "test/*.test.ts"],
      availableParallelism(),
    ),
  },
  {
    name: "e2e",
    what: "test/*/",
    // Two at a time also on larger machines: they time things and share the machine's cgroups.
    command: nodeTests(["test/*/**/*.test.ts"], Math.min(2, availableParallelism())),
    needsRoot: true,
  },
  {
    name: "isolated",
    what: "what is shared, in virtual machines",
    // Each start of a machine takes seconds, so not all of e2e.
    command: nodeTests(
      ["test/lifecycle/lifecycle.test.ts", "test/cli/terminal.test.ts", "test/observe/logs.test.ts"],
      Math.min(2, availableParallelism()),
    ),
    needsRoot: true,
    env: { BERTH_TEST_ISOLATION: "hyperv" },
  },
  {
    name: "templates",
    what: "the same, in virtual machines that go on from a template",
    command: nodeTests(["test/lifecycle/lifecycle.test.ts", "test/cli/terminal.test.ts"], 1),
    needsRoot: true,
    env: { BERTH_TEST_ISOLATION: "hyperv", BERTH_TEST_TEMPLATES: "1" },
  },
];

function readCounts(output: string): Counts | null {
  const count = (name: string) =>
    Number(output.match(new RegExp(`^ℹ ${name} (\\d+)$`, "m"))?.[1] ?? Number.NaN);
  const counts = {
    pass: count("pass"),
    fail: count("fail"),
    cancelled: count("cancelled"),
    skipped: count("skipped"),
  };
  return Number.isNaN(counts.pass) ? null : counts;
}

async function run(stage: Stage): Promise<Outcome> {
  const outcome: Outcome = { stage, state: "not run", seconds: 0, counts: null, note: "" };
  if (!stage.command) return { ...outcome, state: "passed", note: "no tests yet" };
  if (stage.needsRoot && process.getuid?.() !== 0) return { ...outcome, note: "needs root" };
  console.log(`\n── ${stage.name}: ${stage.what} ${"─".repeat(Math.max(0, 60 - stage.name.length))}`);
  const started = performance.now();
  const [program = "", ...args] = stage.command;
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...stage.env },
  });
  // Only the end matters: the closing lines.
  let tail = "";
  child.stdout.on("data", (chunk: Buffer) => {
    process.stdout.write(chunk);
    tail = (tail + chunk.toString()).slice(-1_000_000);
  });
  const reason = await new Promise<string>((done) => {
    child.on("error", (error) => done(error.message));
    child.on("close", (code, signal) =>
      done(code === 0 ? "" : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
  return {
    ...outcome,
    state: reason === "" ? "passed" : "failed",
    seconds: (performance.now() - started) / 1000,
    counts: readCounts(tail),
    note: reason,
  };
}

function describe({ stage, state, seconds, counts, note }: Outcome): string {
  const detail = counts
    ? [`${counts.pass} passed`]
        .concat(counts.fail + counts.cancelled > 0 ? `${counts.fail + counts.cancelled} failed` : [])
        .concat(counts.skipped > 0 ? `${counts.skipped} skipped` : [])
        .join(", ")
    : note;
  return `  ${stage.name.padEnd(10)}${state.padEnd(9)}${seconds.toFixed(1).padStart(7)} s  ${detail}`;
}

const unknown = wanted.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown.length > 0) {
  console.error(
    `unknown stage ${unknown.join(", ")}; there are ${stages.map((stage) => stage.name).join(", ")}`,
  );
  process.exit(2);
}

const outcomes: Outcome[] = [];
for (const stage of stages) {
  if (wanted.length === 0 || wanted.includes(stage.name)) outcomes.push(await run(stage));
}

const total = (pick: (counts: Counts) => number) =>
  outcomes.reduce((sum, { counts }) => sum + (counts ? pick(counts) : 0), 0);
console.log(`\n── summary ${"─".repeat(54)}`);
for (const outcome of outcomes) console.log(describe(outcome));
const failedStages = outcomes.filter(({ state }) => state !== "passed");
if (failedStages.length > 0)
  console.log(`\nnot passed: ${failedStages.map(({ stage }) => stage.name).join(", ")}`);
console.log(
  `\n${total((c) => c.pass)} passed, ${total((c) => c.fail + c.cancelled)} failed, ${total((c) => c.skipped)} skipped`,
);
process.exitCode = failedStages.length > 0 ? 1 : 0;
