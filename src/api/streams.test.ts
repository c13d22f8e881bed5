import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import type { LogLine, LogsOptions } from "../engine/types.ts";
import { frame } from "./frames.ts";
import { fakeServices, serveForTest } from "./services.fake.ts";

const line = (stream: "stdout" | "stderr", text: string): LogLine => ({
  stream,
  time: new Date(0),
  timestamp: "1970-01-01T00:00:00.000000001Z",
  line: Buffer.from(text),
  attrs: { b: "2", "a b": "c,d" },
});

function logging(tty: boolean, lines: LogLine[], seen: LogsOptions[] = []) {
  return fakeServices({
    containers: {
      logs: async (_ref, options) => {
        seen.push(options);
        return {
          tty,
          lines: (async function* () {
            yield* lines;
          })(),
        };
      },
    },
  });
}

test("logs are multiplexed, or raw with a tty, and take options", async () => {
  const lines = [line("stdout", "one\n"), line("stderr", "two\n")];
  const seen: LogsOptions[] = [];
  await using server = await serveForTest(logging(false, lines, seen));
  const plain = await server.fetch(
    "GET",
    "/v1.43/containers/a/logs?stdout=1&stderr=1&tail=5&since=1&follow=0",
  );
  assert.equal(plain.headers["content-type"], "application/vnd.docker.multiplexed-stream");
  const frames = [frame("stdout", Buffer.from("one\n")), frame("stderr", Buffer.from("two\n"))];
  assert.equal(plain.text, Buffer.concat(frames).toString());
  assert.deepEqual(seen, [
    { stdout: true, stderr: true, follow: false, since: new Date(1000), until: undefined, tail: 5 },
  ]);
  const old = await server.fetch("GET", "/v1.41/containers/a/logs?stdout=1");
  assert.equal(old.headers["content-type"], "application/vnd.docker.raw-stream");
  const none = await server.fetch("GET", "/containers/a/logs");
  assert.match(none.text, /you must choose at least one stream/);

  await using terminal = await serveForTest(logging(true, lines));
  const raw = await terminal.fetch("GET", "/containers/a/logs?stdout=1&stderr=1&timestamps=1&details=1");
  assert.equal(raw.headers["content-type"], "application/vnd.docker.raw-stream");
  const prefix = "1970-01-01T00:00:00.000000001Z a+b=c%2Cd,b=2 ";
  assert.equal(raw.text, `${prefix}one\n${prefix}two\n`);
});

test("many lines are all sent, in order", async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => line("stdout", `line ${index}\n`));
  await using server = await serveForTest(logging(true, many));
  const { text } = await server.fetch("GET", "/containers/a/logs?stdout=1");
  assert.equal(text, many.map((entry) => entry.line.toString()).join(""));
});

test("following ends when the client goes", async () => {
  const ended = Promise.withResolvers<void>();
  const services = fakeServices({
    containers: {
      logs: async (_ref, _options, signal) => {
        signal?.addEventListener("abort", () => ended.resolve());
        return {
          tty: true,
          lines: (async function* () {
            yield line("stdout", "first\n");
            await ended.promise;
          })(),
        };
      },
    },
  });
  await using server = await serveForTest(services);
  const path = "/containers/a/logs?stdout=1&follow=1";
  const sent = request({ socketPath: server.socketPath, path, agent: false }, (response) => {
    response.once("data", () => sent.destroy());
    response.on("error", () => {});
  });
  sent.on("error", () => {}).end();
  await ended.promise;
});

test("wait sends its headers at once and the outcome later", async () => {
  const { promise, resolve } = Promise.withResolvers<{ StatusCode: number }>();
  const conditions: unknown[] = [];
  const wait = async (_ref: string, condition?: string) => {
    conditions.push(condition);
    return { done: promise };
  };
  await using server = await serveForTest(fakeServices({ containers: { wait } }));
  const text = await new Promise<string>((done, fail) => {
    const options = {
      socketPath: server.socketPath,
      method: "POST",
      path: "/containers/a/wait?condition=next-exit",
    };
    const sent = request(options, async (response) => {
      // The headers are here and the container still runs.
      resolve({ StatusCode: 7 });
      done(Buffer.concat(await response.toArray()).toString());
    });
    sent.on("error", fail).end();
  });
  assert.equal(text, '{"StatusCode":7}\n');
  assert.equal(
    (await server.fetch("POST", "/v1.41/containers/a/wait")).text,
    '{"Error":null,"StatusCode":7}\n',
  );
  assert.deepEqual(conditions, ["next-exit", "not-running"]);
  const wrong = await server.fetch("POST", "/containers/a/wait?condition=foo");
  assert.deepEqual([wrong.status, wrong.text], [400, '{"message":"invalid condition: \\"foo\\""}\n']);
});

test("stats: one answer or a stream", async () => {
  const stats = async (_ref: string, options?: { stream?: boolean }) =>
    (async function* () {
      yield { id: "1" };
      if (options?.stream) yield { id: "2" };
    })();
  await using server = await serveForTest(fakeServices({ containers: { stats } }));
  assert.equal((await server.fetch("GET", "/containers/a/stats?stream=0")).text, '{"id":"1"}\n');
  assert.equal((await server.fetch("GET", "/containers/a/stats")).text, '{"id":"1"}\n{"id":"2"}\n');
});

test("events are lines of JSON with the fields of old", async () => {
  const events = async function* () {
    yield {
      Type: "container" as const,
      Action: "start",
      Actor: { ID: "c", Attributes: { image: "i" } },
      time: 1,
    };
    yield { Type: "network" as const, Action: "connect", Actor: { ID: "n" } };
  };
  await using server = await serveForTest(fakeServices({ system: { events } }));
  const { text } = await server.fetch("GET", "/events?since=1&until=2");
  const [first, second] = text
    .trim()
    .split("\n")
    .map((entry) => JSON.parse(entry));
  assert.deepEqual([first.status, first.id, first.from, first.Type], ["start", "c", "i", "container"]);
  assert.deepEqual(second, { Type: "network", Action: "connect", Actor: { ID: "n" } });
  const wrong = await server.fetch("GET", "/events?since=5&until=1");
  assert.match(wrong.text, /`since` time \(5\) cannot be after `until` time \(1\)/);
});
