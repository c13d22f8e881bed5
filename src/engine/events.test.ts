import assert from "node:assert/strict";
import { test } from "node:test";
import { EventBus } from "./events.ts";
import type { EventsOptions } from "./types.ts";

async function collect(bus: EventBus, options: EventsOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const event of bus.subscribe({ until: new Date(), ...options })) found.push(event.Action ?? "");
  return found;
}

function busWithHistory(): EventBus {
  const bus = new EventBus();
  bus.publish("container", "create", "a".repeat(64), { name: "web", image: "nginx:1", tier: "front" });
  bus.publish("container", "exec_create: sh -c true", "a".repeat(64), { name: "web", image: "nginx:1" });
  bus.publish("image", "tag", "sha256:1", { name: "nginx:2" });
  bus.publish("volume", "mount", "data", { container: "a".repeat(64) });
  return bus;
}
const since = new Date(0);

test("past events come by since and until", async () => {
  assert.equal((await collect(busWithHistory(), { since })).length, 4);
});

test("filters: kinds join by or, names by and", async () => {
  const bus = busWithHistory();
  assert.deepEqual(await collect(bus, { since, filters: { type: ["image", "volume"] } }), ["tag", "mount"]);
  assert.deepEqual(await collect(bus, { since, filters: { event: ["exec_create"] } }), [
    "exec_create: sh -c true",
  ]);
  assert.deepEqual(await collect(bus, { since, filters: { container: ["web"], label: ["tier=front"] } }), [
    "create",
  ]);
  assert.deepEqual(await collect(bus, { since, filters: { container: ["aaaaaa"] } }), [
    "create",
    "exec_create: sh -c true",
  ]);
  assert.deepEqual(await collect(bus, { since, filters: { volume: ["da"] } }), ["mount"]);
  assert.deepEqual(await collect(bus, { since, filters: { image: ["nginx"] } }), [
    "create",
    "exec_create: sh -c true",
    "tag",
  ]);
});

test("live events reach subscribers until they stop", async () => {
  const bus = new EventBus();
  const stop = new AbortController();
  const events = bus.subscribe({}, stop.signal);
  bus.publish("container", "start", "x");
  for await (const event of events) {
    assert.equal(event.Action, "start");
    stop.abort();
  }
  assert.equal(bus.listeners, 0);
});
