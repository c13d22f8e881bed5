import assert from "node:assert/strict";
import { test } from "node:test";
import { commandLine, mergeConfig } from "./config.ts";

const id = "0123456789abcdef".repeat(4);
const image = {
  Env: ["PATH=/bin", "A=image"],
  Cmd: ["serve"],
  Entrypoint: ["/entry"],
  Labels: { from: "image", both: "image" },
  WorkingDir: "/srv",
  User: "app",
};
const line = (request: object): string[] => {
  const { path, args } = commandLine(mergeConfig(request, image, id));
  return [path, ...args];
};

test("the user's command goes to the image's entrypoint", () => {
  assert.deepEqual(line({}), ["/entry", "serve"]);
  assert.deepEqual(line({ Cmd: ["other"] }), ["/entry", "other"]);
});

test("the user's entrypoint drops the image's command", () => {
  assert.deepEqual(line({ Entrypoint: ["/mine"] }), ["/mine"]);
  assert.deepEqual(line({ Entrypoint: ["/mine"], Cmd: ["x"] }), ["/mine", "x"]);
});

test("an empty entrypoint clears the image's", () => {
  assert.deepEqual(line({ Entrypoint: [""], Cmd: ["sh"] }), ["sh"]);
  assert.throws(() => line({ Entrypoint: [""] }), /no command specified/);
  assert.deepEqual(line({ Entrypoint: [] }), ["serve"]);
});

test("variables join by name, a bare name unsets, labels join", () => {
  const merged = mergeConfig({ Env: ["A=own", "B=1", "PATH"], Labels: { both: "own" } }, image, id);
  assert.deepEqual(merged.Env, ["A=own", "B=1"]);
  assert.deepEqual(merged.Labels, { from: "image", both: "own" });
});

test("what the user leaves open comes from the image, the host name from the id", () => {
  const merged = mergeConfig({}, image, id);
  assert.equal(merged.Hostname, "0123456789ab");
  assert.equal(merged.WorkingDir, "/srv");
  assert.equal(merged.User, "app");
});
