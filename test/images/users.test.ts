// Who a user's or group's name is, is for the files that a container sees to say, however its layers hide them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { busyboxImage, busyboxLayer, dockerArchive, tarOf } from "../support/images.ts";

type Members = Parameters<typeof tarOf>[0];

const passwd = "root:x:0:0::/:/bin/sh\nworker:x:1234:1235::/home:/bin/sh\n";
const group = "root:x:0:\nstaff:x:77:worker\n";
const base: Members = [
  { name: "etc/passwd", data: passwd },
  { name: "etc/group", data: group },
  { name: "usr/lib/passwd", data: passwd },
];
const seen = "1234:1235 77";
const unknown = /unable to find user worker: no matching entries in passwd file/;

/** Layers above the first, and what `-u worker` gives. */
const cases: Record<string, { layers: Members[]; gives: string | RegExp }> = {
  "a directory that is merged": { layers: [[{ name: "etc/other", data: "" }]], gives: seen },
  "an opaque directory": { layers: [[{ name: "etc/.wh..wh..opq" }, { name: "etc/other" }]], gives: unknown },
  "a directory that is removed": { layers: [[{ name: ".wh.etc" }]], gives: unknown },
  "a directory that is made anew": {
    layers: [[{ name: ".wh.etc" }], [{ name: "etc/other" }]],
    gives: unknown,
  },
  "a directory that is made anew in the same layer": {
    layers: [[{ name: ".wh.etc" }, { name: "etc/", type: "directory" }, { name: "etc/other" }]],
    gives: unknown,
  },
  "an opaque directory below others": {
    layers: [
      [{ name: "etc/.wh..wh..opq" }, { name: "etc/other" }],
      [{ name: "etc/more" }],
      [{ name: "usr/more" }],
    ],
    gives: unknown,
  },
  "an opaque directory with files of its own": {
    layers: [
      [{ name: "etc/.wh..wh..opq" }, { name: "etc/passwd", data: passwd.replace("1234", "4321") }],
      [{ name: "etc/more" }],
    ],
    gives: "4321:1235 ",
  },
  "a file that is removed": { layers: [[{ name: "etc/.wh.passwd" }]], gives: unknown },
  "a link to a file": {
    layers: [[{ name: "etc/passwd", type: "symlink", linkname: "../../../usr/lib/passwd" }]],
    gives: seen,
  },
  "a link from the root on": {
    layers: [[{ name: "etc/passwd", type: "symlink", linkname: "/usr/lib/passwd" }]],
    gives: seen,
  },
  "a link to what an opaque directory hides": {
    layers: [
      [{ name: "etc/passwd", type: "symlink", linkname: "/usr/lib/passwd" }],
      [{ name: "usr/.wh..wh..opq" }, { name: "usr/lib/other" }],
    ],
    gives: unknown,
  },
  "a link to the host's file": {
    layers: [[{ name: "etc/passwd", type: "symlink", linkname: "/proc/1/root/etc/passwd" }]],
    gives: unknown,
  },
  "a link to itself": {
    layers: [[{ name: "etc/passwd", type: "symlink", linkname: "passwd" }]],
    gives: unknown,
  },
  "a very long file": {
    layers: [[{ name: "etc/passwd", data: `${"x".repeat(127)}\n`.repeat(400_000) + passwd }]],
    gives: seen,
  },
  "a directory": { layers: [[{ name: "etc/passwd", type: "directory" }]], gives: unknown },
  "a pipe": { layers: [[{ name: "etc/passwd", type: "fifo" }]], gives: unknown },
  "a device": {
    layers: [[{ name: "etc/passwd", type: "character", major: 1, minor: 5 }]],
    gives: unknown,
  },
};

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("users");
  const images = Object.values(cases).map(({ layers }, i) =>
    busyboxImage({ tags: [`users:${i}`], layers: [busyboxLayer(), tarOf(base), ...layers.map(tarOf)] }),
  );
  await daemon.ok(["load"], { input: dockerArchive(images) });
});
after(() => daemon.end());

const say = "echo $(id -u):$(id -g) $(id -G | sed s/$(id -g)//)";

describe("where /etc/passwd or its directory is", () => {
  Object.entries(cases).forEach(([name, { gives }], i) => {
    test(name, async () => {
      const { code, stdout, stderr } = await daemon.docker([
        "run",
        "--rm",
        "-u",
        "worker",
        `users:${i}`,
        "sh",
        "-c",
        say,
      ]);
      if (typeof gives === "string") assert.deepEqual([code, stdout.trim()], [0, gives.trim()]);
      else {
        assert.match(stderr, gives);
        assert.equal(code, 125);
      }
    });
  });
});

test("a directory that the container itself made anew", async () => {
  const shell = "rm -r /usr && mkdir /usr && touch /usr/other";
  const image = `users:${Object.keys(cases).indexOf("a link from the root on")}`;
  await daemon.ok(["run", "-d", "--name", "anew", "-u", "worker", image, "sleep", "1000"]);
  await daemon.ok(["exec", "-u", "0", "anew", "sh", "-c", shell]);
  assert.match((await daemon.docker(["exec", "-u", "worker", "anew", "true"])).stdout, unknown);
  await daemon.ok(["commit", "anew", "users:anew"]);
  assert.match((await daemon.docker(["run", "--rm", "users:anew", "true"])).stderr, unknown);
  await daemon.ok(["stop", "-t", "0", "anew"]);
  assert.match((await daemon.docker(["start", "anew"])).stderr, unknown);
});
