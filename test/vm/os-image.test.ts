// A machine with an operating system of a distribution: Debian, as mmdebstrap makes it from a mirror.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { patience, run, TestDaemon, until } from "../support/daemon.ts";
import { machinesOf } from "./machines.ts";

/** A mirror that takes longer is none for a test. */
const downloadMs = 240_000;

let daemon: TestDaemon;
const { vm, ok, end } = machinesOf(() => daemon);
before(async () => {
  daemon = new TestDaemon("vm-os");
  await daemon.up();
});
after(() => end());

/** Makes the image's archive; answers why that is not possible here, or with nothing. */
async function debootstrap(file: string): Promise<string> {
  if (!existsSync("/usr/bin/mmdebstrap")) return "mmdebstrap is not installed";
  const wish = ["--variant=minbase", "--include=systemd-sysv,udev,dbus", "bookworm", file];
  const made = await run("timeout", [`${downloadMs / 1000}`, "mmdebstrap", ...wish], {
    timeout: downloadMs + 30_000,
  });
  if (made.code === 0) return "";
  if (made.code === 124) return `a Debian mirror takes longer than ${downloadMs / 1000} s`;
  const unreachable =
    /(Could not (resolve|connect)|Temporary failure|Unable to connect|Connection (failed|timed out)).*/;
  const why = unreachable.exec(made.stderr)?.[0];
  assert.ok(why, `mmdebstrap: ${made.stderr}`);
  return `no Debian mirror can be reached: ${why}`;
}

const longest = (downloadMs + 300_000) * patience;

test("Debian boots, is reached by exec and console, and powers off", { timeout: longest }, async (t) => {
  const archive = join(daemon.directory, "os.tar");
  const why = await debootstrap(archive);
  if (why !== "") {
    console.log(`skipped: ${why}`);
    return t.skip(why);
  }
  const imported = await daemon.berth(["import", archive, "debian:os"]);
  assert.equal(imported.code, 0, imported.stderr);
  await ok("create", "os", "--image", "debian:os", "--memory", "512m", "--disk-size", "2g");
  await ok("start", "os");
  const state = async (): Promise<string> =>
    (await vm("exec", "os", "systemctl", "is-system-running")).stdout.trim();
  for (let waited = 0; waited < 6 && (await state()) !== "running"; waited++)
    await until("the system is up", async () => ["running", "degraded"].includes(await state())).catch(
      () => undefined,
    );
  assert.equal(await state(), "running", (await vm("exec", "os", "systemctl", "--failed")).stdout);
  assert.equal(await ok("exec", "os", "cat", "/proc/1/comm"), "systemd");
  assert.match(await ok("exec", "os", "cat", "/etc/os-release"), /^VERSION_CODENAME=bookworm$/m);
  assert.equal(await ok("exec", "os", "cat", "/etc/hostname"), "os");
  // The rest of the line is not ended, as it waits for a name.
  await until("the console asks for a login", async () =>
    (await ok("logs", "os")).includes("Debian GNU/Linux 12 os ttyS0"),
  );
  await ok("stop", "os");
  assert.equal(await ok("inspect", "os", "--format", "{{.State.ExitCode}} {{.State.Error}}"), "0");
  await ok("rm", "os");
});
