import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { collectAll, collectYoung } from "./garbage.ts";

for (const collect of [collectYoung, collectAll])
  test(`${collect.name} collects`, async () => {
    const garbage = new WeakRef({});
    // What was made or read in this turn is kept until its end.
    await turn();
    collect();
    assert.equal(garbage.deref(), undefined);
  });
