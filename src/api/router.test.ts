import assert from "node:assert/strict";
import { test } from "node:test";
import { type Method, Router } from "./router.ts";
import { routes } from "./routes.ts";

const row = (method: Method, path: string) => ({ method, path, handle() {} });
const router = new Router([
  [
    row("GET", "/things/json"),
    row("GET", "/things/{name}"),
    row("GET", "/things/{name}/json"),
    row("GET", "/things/{name}/attach/ws"),
    row("POST", "/things/{name}"),
  ],
]);

function found(method: string, path: string): [string, string, string | undefined] | null {
  const match = router.match(method, path);
  return match && [match.route.path, match.name, match.version];
}

test("fixed paths come first, longer suffixes before shorter ones", () => {
  assert.deepEqual(found("GET", "/things/json"), ["/things/json", "", undefined]);
  assert.deepEqual(found("GET", "/things/a"), ["/things/{name}", "a", undefined]);
  assert.deepEqual(found("GET", "/things/a/json"), ["/things/{name}/json", "a", undefined]);
  assert.deepEqual(found("GET", "/things/a/attach/ws"), ["/things/{name}/attach/ws", "a", undefined]);
  assert.equal(found("GET", "/things/"), null);
  assert.equal(found("GET", "/other/a"), null);
  assert.equal(found("PUT", "/things/a"), null);
});

test("names may have slashes, encoded or not; a leading one is dropped", () => {
  assert.deepEqual(found("GET", "/things/library/a/json"), ["/things/{name}/json", "library/a", undefined]);
  assert.deepEqual(found("GET", "/things/%2Fa%20b/json"), ["/things/{name}/json", "a b", undefined]);
  assert.throws(() => found("GET", "/things/%zz/json"), /invalid URL escape/);
});

test("a version may stand before the path", () => {
  assert.deepEqual(found("POST", "/v1.43/things/a"), ["/things/{name}", "a", "1.43"]);
  assert.deepEqual(found("GET", "/v9/things/json"), ["/things/json", "", "9"]);
  assert.equal(found("GET", "/vx/things/json"), null);
});

test("every route of the API is there once", () => {
  assert.ok(new Router(routes).match("GET", "/v1.50/containers/json"));
  assert.throws(() => new Router([[row("GET", "/a"), row("GET", "/a")]]), /two routes for GET \/a/);
});
