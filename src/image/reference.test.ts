import assert from "node:assert/strict";
import { test } from "node:test";
import {
  canonical,
  familiar,
  familiarRepository,
  parseReference,
  repositoryOf,
  withDefaultTag,
} from "./reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

const good: [text: string, complete: string, short: string][] = [
  ["busybox", "docker.io/library/busybox", "busybox"],
  ["busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"],
  ["docker.io/busybox", "docker.io/library/busybox", "busybox"],
  ["index.docker.io/library/busybox", "docker.io/library/busybox", "busybox"],
  ["user/app:v1", "docker.io/user/app:v1", "user/app:v1"],
  ["localhost/app", "localhost/app", "localhost/app"],
  ["localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"],
  ["ghcr.io/a/b/c", "ghcr.io/a/b/c", "ghcr.io/a/b/c"],
  ["Uppercase/app", "Uppercase/app", "Uppercase/app"],
  ["[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app"],
  [`busybox@${digest}`, `docker.io/library/busybox@${digest}`, `busybox@${digest}`],
  [`busybox:1@${digest}`, `docker.io/library/busybox:1@${digest}`, `busybox:1@${digest}`],
  ["a__b-c--d/e", "docker.io/a__b-c--d/e", "a__b-c--d/e"],
  ["docker.io/library/a/b", "docker.io/library/a/b", "library/a/b"],
];

for (const [text, complete, short] of good) {
  test(`${text} is ${complete}`, () => {
    const reference = parseReference(text);
    assert.equal(canonical(reference), complete);
    assert.equal(familiar(reference), short);
  });
}

const bad: [text: string, message: RegExp][] = [
  ["", /^invalid reference format$/],
  [":latest", /^invalid reference format$/],
  ["a:", /^invalid reference format$/],
  ["a b", /^invalid reference format$/],
  ["a//b", /^invalid reference format$/],
  ["-a", /^invalid reference format$/],
  ["a..b", /^invalid reference format$/],
  ["a__b.c/d", /^invalid reference format$/],
  ["a___b", /^invalid reference format$/],
  ["a/../b", /^invalid reference format$/],
  ["http://a/b", /^invalid reference format$/],
  [`a:${"t".repeat(129)}`, /^invalid reference format$/],
  ["Busybox", /^invalid reference format: repository name \(library\/Busybox\) must be lowercase$/],
  ["user/App:v1", /must be lowercase/],
  ["a".repeat(64), /^invalid repository name \(a{64}\), cannot specify 64-byte hexadecimal strings$/],
  [`x/${"a".repeat(300)}`, /must not be more than 255 characters/],
  ["a@sha256:abc", /^invalid reference format$/],
  [`a@sha256:${"a".repeat(40)}`, /invalid checksum digest length/],
  [`a@md5:${"a".repeat(32)}`, /unsupported digest algorithm/],
];

for (const [text, message] of bad) {
  test(`${JSON.stringify(text.slice(0, 40))} is refused`, () => {
    assert.throws(() => parseReference(text), { code: "INVALID_PARAMETER", message });
  });
}

test("a pathological name is refused in no time", () => {
  const started = performance.now();
  assert.throws(() => parseReference(`${"a-".repeat(20_000)}!`));
  assert.throws(() => parseReference(`${"a_".repeat(20_000)}`));
  assert.throws(() => parseReference(`${"a.".repeat(20_000)}/b!`));
  assert.ok(performance.now() - started < 500);
});

test("a name without tag and digest means latest", () => {
  assert.equal(canonical(withDefaultTag(parseReference("a"))), "docker.io/library/a:latest");
  assert.equal(canonical(withDefaultTag(parseReference("a:1"))), "docker.io/library/a:1");
  assert.equal(canonical(withDefaultTag(parseReference(`a@${digest}`))), `docker.io/library/a@${digest}`);
  assert.equal(familiarRepository(repositoryOf(parseReference("quay.io/a"))), "quay.io/a");
});
