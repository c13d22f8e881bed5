// One volume in containers whose user ids are different ones of the host: everybody sees the same owners.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { dockerArchive } from "../support/images.ts";
import { layers } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("files-shared");
  await daemon.ok(["load"], { input: dockerArchive([{ tags: ["data:latest"], layers: layers() }]) });
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const start = (name: string, image: string, ...flags: string[]): Promise<string> =>
  daemon.ok(["run", "-d", "--name", name, ...flags, image, "sleep", "1000"]);
const sh = (name: string, user: string, script: string): Promise<string> =>
  daemon.ok(["exec", "-u", user, name, "sh", "-c", script]);

/** Where a container's user 0 is on the host. */
async function firstId(name: string): Promise<number> {
  const pid = await daemon.ok(["inspect", "-f", "{{.State.Pid}}", name]);
  return Number(readFileSync(`/proc/${pid}/uid_map`, "latin1").trim().split(/\s+/)[1]);
}

const onDisk = async (volume: string, file: string): Promise<string> => {
  const root = await daemon.ok(["volume", "inspect", "-f", "{{.Mountpoint}}", volume]);
  const { uid, gid } = statSync(join(root, file));
  return `${uid}:${gid}`;
};

test("owners are the same in both, on disk, and whoever changes them", async () => {
  await start("one", "busybox", "-v", "both:/v");
  await start("two", "busybox", "-v", "both:/w");
  const ids = [await firstId("one"), await firstId("two")];
  assert.ok(ids.every((id) => id > 0) && ids[0] !== ids[1], `ranges from ${ids.join(" and ")}`);

  await sh("one", "0", "chmod 1777 /v; mkdir /v/team; chgrp 50 /v/team; chmod 2770 /v/team");
  await sh("one", "1000:1001", "echo first > /v/note; chmod 600 /v/note");
  assert.equal(await sh("two", "0", "stat -c %u:%g /w/note"), "1000:1001");
  assert.equal(await onDisk("both", "note"), "1000:1001");
  assert.equal(await sh("two", "1000:1001", "echo second >> /w/note; cat /w/note"), "first\nsecond");
  const refused = await daemon.docker(["exec", "-u", "1002", "two", "cat", "/w/note"]);
  assert.match(refused.stderr, /Permission denied/);

  await sh("two", "0", "chown 5:6 /w/note");
  assert.equal(await sh("one", "5:6", "stat -c %u:%g /v/note; cat /v/note"), "5:6\nfirst\nsecond");
  assert.equal(await onDisk("both", "note"), "5:6");
  // What is made in a directory that hands its group on has it, whichever container it is made in.
  await sh("two", "7:50", "echo > /w/team/from-two");
  assert.equal(await sh("one", "0", "stat -c %u:%g /v/team/from-two"), "7:50");

  // One without ids of its own, and one more than the first two have seen.
  await start("plain", "busybox", "--userns=host", "-v", "both:/v");
  assert.equal(await firstId("plain"), 0);
  assert.equal(await sh("plain", "0", "stat -c %u:%g /v/note /v/team/from-two"), "5:6\n7:50");
  await sh("plain", "1234:4321", "echo > /v/plain");
  assert.equal(await sh("two", "0", "stat -c %u:%g /w/plain"), "1234:4321");
  await daemon.ok(["rm", "-f", "one", "two", "plain"]);
  await daemon.ok(["volume", "rm", "both"]);
});

test("what the first brought from its image has its owners in the second", async () => {
  await start("one", "data", "-v", "filled:/data");
  await start("two", "busybox", "-v", "filled:/other");
  assert.notEqual(await firstId("one"), await firstId("two"));
  const owners = await sh("two", "0", "stat -c '%n %u:%g' /other /other/file");
  assert.equal(owners, "/other 33:44\n/other/file 33:44");
  await sh("two", "33:44", "echo more >> /other/file; echo > /other/mine");
  assert.equal(await sh("one", "33", "tail -n 1 /data/file; stat -c %u:%g /data/mine"), "more\n33:44");
  assert.equal(await onDisk("filled", "mine"), "33:44");
  await daemon.ok(["rm", "-f", "one", "two"]);
  await daemon.ok(["volume", "rm", "filled"]);
});

test("a part of a volume in one, the whole of it in the other", async () => {
  await start("whole", "busybox", "-v", "parts:/v");
  await sh("whole", "0", "mkdir -p /v/a/b; chown 1000:1000 /v/a/b");
  await start("part", "busybox", "--mount", "type=volume,src=parts,dst=/p,volume-subpath=a/b");
  assert.notEqual(await firstId("whole"), await firstId("part"));
  assert.equal(
    await sh("part", "1000:1000", "echo in > /p/f; stat -c %u:%g /p /p/f"),
    "1000:1000\n1000:1000",
  );
  assert.equal(await sh("whole", "0", "stat -c %u:%g /v/a/b/f; chown 8:9 /v/a/b/f"), "1000:1000");
  assert.equal(await sh("part", "8:9", "stat -c %u:%g /p/f; echo >> /p/f"), "8:9");
  assert.equal(await onDisk("parts", "a/b/f"), "8:9");
  await daemon.ok(["rm", "-f", "whole", "part"]);
  await daemon.ok(["volume", "rm", "parts"]);
});
