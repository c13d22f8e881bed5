import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePs } from "./ps-output.ts";

test("rows of our processes, with command lines in one cell", () => {
  const output = [
    "UID          PID    PPID  C STIME TTY          TIME CMD",
    "root           1       0  0 04:00 ?        00:00:01 /sbin/init splash",
    "root          42       1  0 04:01 ?        00:00:00 sh -c  echo   a",
    "",
  ].join("\n");
  const list = parsePs(output, new Set([42]));
  assert.deepEqual(list.Titles, ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
  assert.deepEqual(list.Processes, [["root", "42", "1", "0", "04:01", "?", "00:00:00", "sh -c echo a"]]);
});

test("thread rows belong to the process above them", () => {
  const output = "PID LWP CMD\n7 - a\n- 7 -\n8 - b\n- 8 -\n";
  assert.deepEqual(parsePs(output, new Set([7])).Processes, [
    ["7", "-", "a"],
    ["-", "7", "-"],
  ]);
});

test("output without pids is refused with dockerd's words", () => {
  assert.throws(() => parsePs("CMD\nsh\n", new Set([1])), /Couldn't find PID field in ps output/);
  assert.throws(() => parsePs("PID\nx\n", new Set([1])), /Unexpected pid 'x'/);
});
