import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hostPlatform } from "../image/platform.ts";
import { isEmulated, requireRunnable } from "./emulation.ts";

test("a platform runs where the processor or a handler runs it", () => {
  const directory = mkdtempSync(join(tmpdir(), "berth-binfmt-"));
  try {
    const s390x = { os: "linux", architecture: "s390x" };
    const arm = { os: "linux", architecture: "arm" };
    writeFileSync(join(directory, "register"), "");
    writeFileSync(join(directory, "status"), "enabled\n");
    assert.equal(isEmulated(s390x, directory), false);
    requireRunnable(hostPlatform, directory);
    assert.throws(() => requireRunnable(s390x, directory), /RUN for linux\/s390x needs an emulator/);
    // As Debian's qemu-user-static registers it.
    const handler = (state: string): string =>
      `${state}\ninterpreter /usr/bin/qemu-s390x\nflags: OCF\noffset 0\nmagic 7f454c4602020100000000000000000000020016\nmask ffffffffffffff00fffffffffffffffffffeffff\n`;
    writeFileSync(join(directory, "qemu-s390x"), handler("enabled"));
    requireRunnable(s390x, directory);
    assert.equal(isEmulated(arm, directory), false);
    writeFileSync(join(directory, "qemu-s390x"), handler("disabled"));
    assert.equal(isEmulated(s390x, directory), false);
    assert.equal(isEmulated(s390x, join(directory, "missing")), false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
