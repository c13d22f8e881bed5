import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { findGuestKernel } from "./kernel.ts";

const root = mkdtempSync(join(tmpdir(), "berth-kernel-"));
after(() => rmSync(root, { recursive: true }));

function install(name: string, versions: string[], modules = versions): string {
  const directory = join(root, name);
  mkdirSync(join(directory, "boot"), { recursive: true });
  for (const version of versions) writeFileSync(join(directory, "boot", `vmlinuz-${version}`), "");
  for (const version of modules)
    mkdirSync(join(directory, "lib/modules", version, "kernel"), { recursive: true });
  return directory;
}

test("kernels for virtual machines go first, then the newest", () => {
  const host = install("host", ["6.9.0-1-amd64", "6.1.0-9-cloud-amd64", "6.1.0-56-cloud-amd64"]);
  assert.deepEqual(findGuestKernel(undefined, [join(root, "absent"), host]), {
    version: "6.1.0-56-cloud-amd64",
    image: join(host, "boot/vmlinuz-6.1.0-56-cloud-amd64"),
    modules: join(host, "lib/modules/6.1.0-56-cloud-amd64"),
  });
});

test("a kernel without modules is none", () => {
  const host = install("bare", ["7.0"], []);
  assert.throws(() => findGuestKernel(undefined, [host]), {
    code: "UNAVAILABLE",
    message: /setup\.sh --with-vm/,
  });
});

test("a configured kernel is taken or refused for a reason", () => {
  const host = install("own", ["7.0"]);
  const image = join(host, "boot/vmlinuz-7.0");
  assert.equal(findGuestKernel(image).version, "7.0");
  assert.throws(() => findGuestKernel(join(host, "boot/vmlinuz-8")), /does not exist/);
  writeFileSync(join(host, "boot/bzImage"), "");
  assert.throws(() => findGuestKernel(join(host, "boot/bzImage")), /must be named vmlinuz-VERSION/);
  writeFileSync(join(host, "boot/vmlinuz-9"), "");
  assert.throws(() => findGuestKernel(join(host, "boot/vmlinuz-9")), /has no modules/);
});
