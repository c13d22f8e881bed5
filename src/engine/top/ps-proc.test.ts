import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { parsePs } from "./ps-output.ts";
import { listProcesses, parseStat, terminalName } from "./ps-proc.ts";

test("a process shows as ps shows it", () => {
  const pids = [1, process.pid];
  const own = listProcesses(pids);
  const theirs = parsePs(
    execFileSync("ps", ["-ef", `-q${pids.join(",")}`], { encoding: "utf8" }),
    new Set(pids),
  );
  assert.deepEqual(own.Titles, theirs.Titles);
  // The share of the processor moves while one looks.
  const still = (rows: string[][]): string[][] =>
    rows.map((row) => row.filter((_, column) => column !== 3 && column !== 6));
  assert.deepEqual(still(own.Processes), still(theirs.Processes));
  assert.deepEqual(listProcesses([2 ** 22 + 1]).Processes, []);
});

test("names with blanks and parentheses, terminals", () => {
  const stat = `7 (a) b (c) S 3 7 7 34817 7 0 1 2 3 4 250 50 0 0 20 0 1 0 9999 1 2`;
  assert.deepEqual(parseStat(stat), {
    name: "a) b (c",
    parent: 3,
    terminal: 34817,
    cpuTicks: 300,
    startTicks: 9999,
  });
  assert.deepEqual([0, 34817, 0x8900, 0x401, 0x440, 0x501].map(terminalName), [
    "?",
    "pts/1",
    "pts/256",
    "tty1",
    "ttyS0",
    "console",
  ]);
});
