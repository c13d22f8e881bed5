// What cannot be started: dockerd's texts and exit codes, and nothing left of it.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";

let daemon: TestDaemon;
let directory: string;
let file: string;
before(async () => {
  daemon = await TestDaemon.start("refused");
  directory = join(daemon.directory, "source");
  file = join(directory, "file");
  mkdirSync(directory);
  writeFileSync(file, "content");
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

async function refused(options: string[], ...texts: string[]): Promise<void> {
  const { code, stderr } = await daemon.docker(["run", "--rm", ...options, "busybox", "true"]);
  assert.equal(code, 125, `${options.join(" ")}: ${stderr}`);
  for (const text of texts) assert.ok(stderr.includes(text), stderr);
  assert.equal(await daemon.ok(["ps", "-aq"]), "");
}

test("mounts of the wrong kind", async () => {
  const hint = "Are you trying to mount a directory onto a file (or vice-versa)?";
  await refused(
    ["-v", `${file}:/etc`],
    `error mounting "${file}" to rootfs at "/etc": not a directory`,
    hint,
  );
  await refused(["-v", `${directory}:/etc/passwd`], "not a directory", hint);
});

test("nothing covers /proc but what shows the container its share", async () => {
  await refused(["-v", `${directory}:/proc`], '"/proc" cannot be mounted because it is not of type proc');
  await refused(["--tmpfs", "/proc/sys"], '"/proc/sys" cannot be mounted because it is inside /proc');
  await refused(
    ["-v", `${directory}:/sys/../proc/foo`],
    '"/proc/foo" cannot be mounted because it is inside /proc',
  );
  const share = await daemon.ok([
    "run",
    "--rm",
    "-v",
    `${file}:/proc/uptime`,
    "busybox",
    "cat",
    "/proc/uptime",
  ]);
  assert.equal(share, "content");
});

test("promises that cannot be kept", async () => {
  await refused(
    ["-w", "/etc/passwd"],
    "Error response from daemon: Cannot mkdir: /etc/passwd is not a directory",
  );
  await refused(["--storage-opt", "inodes=10"], "Unknown option inodes");
  await refused(["--gpus", "all"], 'could not select device driver "" with capabilities: [[gpu]]');
});

test("sysctls that have no namespace are refused whoever asks", async () => {
  const body = {
    Image: "busybox",
    HostConfig: { Privileged: true, Sysctls: { "kernel.panic": "1" } },
  };
  const { Id } = JSON.parse(await post("/containers/create", body));
  const answer = await post(`/containers/${Id}/start`, {});
  assert.match(answer, /sysctl \\"kernel.panic\\" is not in a separate kernel namespace/);
  await daemon.ok(["rm", Id]);
});

function post(path: string, body: object): Promise<string> {
  return new Promise((done, fail) => {
    const text = JSON.stringify(body);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const call = request({ socketPath: daemon.socket, path, method: "POST", headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => done(Buffer.concat(parts).toString()));
    });
    call.on("error", fail);
    call.end(text);
  });
}

test("files of a read-only container are read-only too", async () => {
  const { stderr } = await daemon.docker(["run", "--rm", "--read-only", "busybox", "touch", "/etc/hosts"]);
  assert.match(stderr, /Read-only file system/);
});
