import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { resolveUser } from "./user.ts";

const root = mkdtempSync(join(tmpdir(), "berth-user-"));
after(() => rmSync(root, { recursive: true }));
mkdirSync(join(root, "etc"));
writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/srv/app:/bin/sh\n");
writeFileSync(join(root, "etc/group"), "root:x:0:\napp:x:1001:\nvideo:x:44:app,root\nwheel:x:10:app\n");

test("a name brings its group, its further groups and its home", () => {
  assert.deepEqual(resolveUser([root], "app"), {
    uid: 1000,
    gid: 1001,
    additionalGids: [1001, 44, 10],
    home: "/srv/app",
  });
});

test("no user is root", () => {
  assert.deepEqual(resolveUser([root], ""), { uid: 0, gid: 0, additionalGids: [0, 44], home: "/root" });
});

test("numbers need no entry", () => {
  assert.deepEqual(resolveUser([root], "1234:99"), { uid: 1234, gid: 99, additionalGids: [99], home: "/" });
  assert.deepEqual(resolveUser([], "7"), { uid: 7, gid: 0, additionalGids: [0], home: "/" });
});

test("an explicit group replaces the further ones; --group-add adds by name and number", () => {
  assert.deepEqual(resolveUser([root], "app:wheel", ["video", "5"]), {
    uid: 1000,
    gid: 10,
    additionalGids: [10, 44, 5],
    home: "/srv/app",
  });
});

test("unknown names are refused in docker's words", () => {
  assert.throws(
    () => resolveUser([root], "nobody"),
    /unable to find user nobody: no matching entries in passwd file/,
  );
  assert.throws(
    () => resolveUser([root], "app:staff"),
    /unable to find group staff: no matching entries in group file/,
  );
  assert.throws(() => resolveUser([root], "app", ["staff"]), /Unable to find group staff/);
  assert.throws(() => resolveUser([root], "4294967295"), /must be in range 0-2147483647/);
});
