import assert from "node:assert/strict";
import { test } from "node:test";
import { awaken } from "./guest-setup.ts";

test("what goes on from a template gets the time and random bytes of its own before its devices", () => {
  const [one, two] = [awaken(), awaken()].map(({ steps }) => steps.host);
  assert.deepEqual(
    one?.map(({ op }) => op),
    ["clock_settime", "add_entropy", "write_file", "await_path"],
  );
  const bytes = (steps = one): unknown => steps?.find(({ op }) => op === "add_entropy")?.args[0];
  const first = bytes();
  assert.ok(Buffer.isBuffer(first) && first.length >= 32);
  assert.notDeepEqual(first, bytes(two));
  const seconds = Number(one?.[0]?.args[0]);
  assert.ok(Math.abs(seconds - Date.now() / 1000) < 60);
});
