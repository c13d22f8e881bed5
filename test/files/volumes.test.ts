// Binds, volumes and tmpfs with the real docker CLI, and the API of volumes.
import assert from "node:assert/strict";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { run, TestDaemon, until } from "../support/daemon.ts";
import { dockerArchive } from "../support/images.ts";
import { call, layers, message } from "./support.ts";

let daemon: TestDaemon;
let host: string;
before(async () => {
  daemon = await TestDaemon.start("files-volumes");
  const config = { Volumes: { "/data": {}, "/empty": {} } };
  const images = [
    { tags: ["volumes:latest"], layers: layers(), config },
    { tags: ["data:latest"], layers: layers() },
  ];
  for (const image of images) await daemon.ok(["load"], { input: dockerArchive([image]) });
  host = mkdtempSync(join(tmpdir(), "berth-files-host-"));
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
  rmSync(host, { recursive: true, force: true });
});

/** Runs a command in a new container with the options given before it. */
const sh = (options: string[], script: string, image = "busybox") =>
  daemon.docker(["run", "--rm", ...options, image, "sh", "-c", script]);
const out = async (options: string[], script: string, image?: string): Promise<string> => {
  const { code, stdout, stderr } = await sh(options, script, image);
  assert.equal(code, 0, stderr);
  return stdout.trim();
};
const volumes = async (): Promise<string[]> =>
  (await daemon.ok(["volume", "ls", "-q"])).split("\n").filter(Boolean);
const mounts = async (name: string): Promise<Record<string, unknown>[]> =>
  JSON.parse(await daemon.ok(["inspect", "-f", "{{json .Mounts}}", name]));

describe("binds", () => {
  test("owners are the same inside and out, both ways", async () => {
    mkdirSync(join(host, "own"));
    writeFileSync(join(host, "own/in"), "in");
    chownSync(join(host, "own/in"), 7, 8);
    const script = "stat -c %u:%g /m/in; cat /m/in; touch /m/root /m/other; chown 1000:1001 /m/other";
    assert.equal(await out(["-v", `${host}/own:/m`], script), "7:8\nin");
    assert.deepEqual(
      [statSync(join(host, "own/root")).uid, statSync(join(host, "own/other")).uid],
      [0, 1000],
    );
  });

  test("read-only holds for mounts below as well", async () => {
    const { code, stderr } = await sh(["-v", `${host}:/m:ro`], "touch /m/no");
    assert.equal(code, 1);
    assert.match(stderr, /Read-only file system/);
    const file = join(host, "file");
    writeFileSync(file, "text");
    assert.equal(await out(["-v", `${file}:/some/where:ro`], "cat /some/where"), "text");
  });

  test("-v makes a source that is missing, --mount does not", async () => {
    await out(["-v", `${host}/made/deep:/m`], "true");
    assert.ok(statSync(join(host, "made/deep")).isDirectory());
    const { code, stderr } = await sh(["--mount", `type=bind,src=${host}/missing,dst=/m`], "true");
    assert.equal(code, 125);
    assert.match(
      stderr,
      /invalid mount config for type "bind": bind source path does not exist: .*\/missing/,
    );
    assert.ok(!existsSync(join(host, "missing")));
  });

  test("mounts below a source, and those that come later", async () => {
    const tree = join(host, "tree");
    for (const name of ["before", "after"]) mkdirSync(join(tree, name), { recursive: true });
    const mount = async (...args: string[]): Promise<void> => {
      const { code, stderr } = await run("mount", args);
      assert.equal(code, 0, stderr);
    };
    await mount("--bind", tree, tree);
    try {
      await mount("--make-shared", tree);
      await mount("-t", "tmpfs", "t1", join(tree, "before"));
      writeFileSync(join(tree, "before/f"), "");
      const seen = "ls /m/before; touch /m/before/w; touch /m/w";
      const bind = (options: string) => sh(["--mount", `type=bind,src=${tree},dst=/m${options}`], seen);
      const refusals = async (options: string): Promise<number> =>
        (await bind(options)).stderr.match(/Read-only/g)?.length ?? 0;
      assert.equal((await bind("")).stdout, "f\n");
      assert.equal((await bind(",bind-recursive=disabled")).stdout, "");
      assert.equal(await refusals(",ro"), 2);
      assert.equal(await refusals(",ro,bind-recursive=writable"), 1);
      for (const [propagation, arrives] of [
        ["rprivate", false],
        ["rslave", true],
      ] as const) {
        await daemon.ok([
          "run",
          "-d",
          "--name",
          propagation,
          "-v",
          `${tree}:/m:${propagation}`,
          "busybox",
          "sleep",
          "1000",
        ]);
        await mount("-t", "tmpfs", "t2", join(tree, "after"));
        const inside = await daemon.ok(["exec", propagation, "mount"]);
        assert.equal(inside.includes("/m/after"), arrives, propagation);
        await run("umount", [join(tree, "after")]);
      }
    } finally {
      await run("umount", ["-R", tree]);
    }
  });

  test("inspect tells what was asked", async () => {
    await daemon.ok([
      "create",
      "--name",
      "asked",
      "-v",
      `${host}:/a:ro,rslave`,
      "--mount",
      `type=bind,src=${host},dst=/b/`,
      "busybox",
    ]);
    assert.deepEqual(await mounts("asked"), [
      { Type: "bind", Source: host, Destination: "/a", Mode: "ro,rslave", RW: false, Propagation: "rslave" },
      { Type: "bind", Source: host, Destination: "/b", Mode: "", RW: true, Propagation: "rprivate" },
    ]);
    assert.equal(
      await daemon.ok(["inspect", "-f", "{{json .HostConfig.Binds}}", "asked"]),
      `["${host}:/a:ro,rslave"]`,
    );
  });

  test("a link in the image at the destination stays inside", async () => {
    assert.equal(await out(["-v", `${host}/own:/absl/m`], "ls /data/m", "data"), "in\nother\nroot");
  });
});

describe("tmpfs", () => {
  test("--tmpfs and --mount type=tmpfs with size and mode", async () => {
    const options = [
      "--tmpfs",
      "/u:size=2m,exec,mode=1770,uid=5",
      "--mount",
      "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700",
    ];
    const lines = (await out(options, "mount | grep -E ' /[tu] '; stat -c '%a %u' /t /u")).split("\n");
    assert.ok(
      lines.some((line) => / \/t .*noexec.*size=1024k/.test(line)),
      lines.join("\n"),
    );
    assert.ok(lines.some((line) => / \/u /.test(line) && /size=2048k/.test(line) && !/noexec/.test(line)));
    assert.deepEqual(lines.slice(-2), ["700 0", "1770 5"]);
  });

  test("what is in it can be copied out of a running container", async () => {
    await daemon.ok([
      "run",
      "-d",
      "--name",
      "tmp",
      "--tmpfs",
      "/t",
      "busybox",
      "sh",
      "-c",
      "echo kept > /t/f; sleep 1000",
    ]);
    await daemon.ok(["cp", "tmp:/t/f", join(host, "kept")]);
    assert.equal(readFileSync(join(host, "kept"), "utf8"), "kept\n");
  });
});

describe("volumes", () => {
  test("a named one keeps its files; the image's are copied into an empty one", async () => {
    const list =
      "stat -c '%n %u:%g %h' /data /data/file; cat /data/hard; readlink /data/link; cat /data/new 2>/dev/null";
    const expected = "/data 33:44 3\n/data/file 33:44 2\nhi\nfile";
    assert.equal(
      (await sh(["-v", "kept:/data"], `${list}; touch /data/new; rm /data/sub/x`, "data")).stdout.trim(),
      expected,
    );
    assert.equal(
      await out(["-v", "kept:/data"], "ls /data /data/sub", "data"),
      "/data:\nfile\nhard\nlink\nnew\nsub\n\n/data/sub:",
    );
    assert.equal(await out(["-v", "nocopied:/data:nocopy"], "ls /data", "data"), "");
    assert.equal(await out(["-v", "kept:/other"], "ls /other", "busybox"), "file\nhard\nlink\nnew\nsub");
    await daemon.ok(["volume", "rm", "kept", "nocopied"]);
  });

  test("VOLUMEs of an image get anonymous volumes, which go with rm -v and --rm", async () => {
    const before = await volumes();
    await daemon.ok(["create", "--name", "anonymous", "volumes"]);
    const made = await mounts("anonymous");
    assert.deepEqual(
      made.map(({ Destination, Mode, RW, Driver }) => [Destination, Mode, RW, Driver]).sort(),
      [
        ["/data", "", true, "local"],
        ["/empty", "", true, "local"],
      ],
    );
    assert.match(String(made[0]?.Name), /^[0-9a-f]{64}$/);
    await daemon.ok(["rm", "anonymous"]);
    assert.equal((await volumes()).length, before.length + 2);
    await daemon.ok(["create", "--name", "anonymous", "volumes"]);
    await daemon.ok(["rm", "-v", "anonymous"]);
    assert.equal(await out(["-v", "/extra"], "ls -d /extra; cat /data/file", "volumes"), "/extra\nhi");
    assert.equal((await volumes()).length, before.length + 2);
    await daemon.ok(["volume", "prune", "-f"]);
    assert.deepEqual(await volumes(), before);
  });

  test("--volumes-from takes another container's, read-only if asked", async () => {
    await daemon.ok(["create", "--name", "source", "-v", `${host}/own:/bound`, "volumes"]);
    const script = "ls /bound /data; touch /data/x";
    const { code, stdout } = await sh(["--volumes-from", "source:ro"], script);
    assert.equal(code, 1);
    assert.match(stdout, /\/bound:\nin\n[\s\S]*\/data:\nfile/);
    assert.equal((await sh(["--volumes-from", "source"], script)).code, 0);
    await daemon.ok(["create", "--name", "taker", "--volumes-from", "source", "busybox"]);
    const names = (await mounts("source")).map(({ Name }) => Name).filter(Boolean);
    await daemon.ok(["rm", "-v", "source"]);
    for (const name of names) assert.ok((await volumes()).includes(String(name)), "taken over");
    await daemon.ok(["rm", "-v", "taker"]);
    for (const name of names) assert.ok(!(await volumes()).includes(String(name)), "gone with the last");
  });

  test("a subpath is mounted alone, and links in the volume lead nowhere", async () => {
    await out(["-v", "parts:/v"], `mkdir -p /v/a/b; echo in > /v/a/b/f; ln -s ${host} /v/out; ln -s a /v/in`);
    const part = (subpath: string, script: string) =>
      sh(["--mount", `type=volume,src=parts,dst=/v,volume-subpath=${subpath}`], script);
    assert.equal((await part("a/b", "ls /v")).stdout, "f\n");
    assert.equal((await part("in/b/f", "cat /v")).stdout, "in\n");
    assert.equal((await part("out", "ls /v")).code, 127);
    assert.match((await part("../x", "true")).stderr, /subpath must be a relative path within the volume/);
    await daemon.ok(["volume", "rm", "parts"]);
  });

  test("containers that are made at once fill the volume that they share once", async () => {
    const make =
      "mkdir /many; cd /many; for i in $(seq 3000); do echo $i > f$i; done; mkfifo p; ln f1 h; ln -s f2 l";
    await daemon.ok(["run", "--name", "maker", "--network", "none", "busybox", "sh", "-c", make]);
    await daemon.ok(["commit", "maker", "many"]);
    const names = ["1", "2", "3", "4"].map((number) => `at-once-${number}`);
    const created = names.map((name) =>
      daemon.docker(["create", "--name", name, "-v", "many:/many", "many", "true"], { timeout: 20_000 }),
    );
    for (const { code, stderr } of await Promise.all(created)) assert.equal(code, 0, stderr);
    const count = ["-v", "many:/many", "many"];
    assert.equal(
      await daemon.ok(["run", "--rm", ...count, "sh", "-c", "ls /many | wc -l; cat /many/h"]),
      "3003\n1",
    );
    await daemon.ok(["rm", "maker", ...names]);
    await daemon.ok(["volume", "rm", "many"]);
  });

  test("options of mount(8): mounted while somebody uses it", async () => {
    await daemon.ok([
      "volume",
      "create",
      "--opt",
      "type=tmpfs",
      "--opt",
      "device=tmpfs",
      "--opt",
      "o=size=3m",
      "memory",
    ]);
    const where = join(daemon.dataRoot, "volumes/memory/_data");
    const mounted = (): boolean => readFileSync("/proc/self/mounts", "utf8").includes(where);
    await daemon.ok(["run", "-d", "--name", "holder", "-v", "memory:/t", "busybox", "sleep", "1000"]);
    assert.match(await out(["-v", "memory:/t"], "touch /t/shared; mount | grep ' /t '"), /tmpfs.*size=3072k/);
    assert.equal(await daemon.ok(["exec", "holder", "ls", "/t"]), "shared");
    assert.ok(mounted());
    // A new daemon finds it in use and lets it be.
    await daemon.down();
    await daemon.up();
    assert.equal(await daemon.ok(["exec", "holder", "ls", "/t"]), "shared");
    // One that is killed leaves the mount to its successor, who ends it with the container.
    const pid = Number(await daemon.ok(["inspect", "-f", "{{.State.Pid}}", "holder"]));
    await daemon.down("SIGKILL");
    process.kill(pid, "SIGKILL");
    await daemon.up();
    await until("the volume is unmounted", () => !mounted());
    await daemon.ok(["start", "holder"]);
    assert.ok(mounted());
    await daemon.ok(["rm", "-f", "holder"]);
    assert.ok(!mounted());
    await daemon.ok(["volume", "rm", "memory"]);
    await daemon.ok([
      "volume",
      "create",
      "--opt",
      "type=none",
      "--opt",
      "o=bind",
      "--opt",
      `device=${host}/own`,
      "bound",
    ]);
    assert.match(await out(["-v", "bound:/t"], "ls /t"), /^in/);
    await daemon.ok(["volume", "rm", "bound"]);
    assert.ok(existsSync(join(host, "own/in")), "what it showed stays");
    const nowhere = ["type=none", "o=bind", "device=/not-there"].flatMap((option) => ["--opt", option]);
    await daemon.ok(["volume", "create", ...nowhere, "nowhere"]);
    const refused = await daemon.docker(["run", "--rm", "-v", "nowhere:/t", "busybox", "true"]);
    assert.equal(refused.code, 127);
    assert.match(
      refused.stderr,
      /failed to mount local volume: mount \/not-there:.*, flags: 0x1000: no such file or directory/,
    );
    await daemon.ok(["volume", "rm", "nowhere"]);
  });

  test("cp reaches volumes and binds of a stopped container", async () => {
    await daemon.ok([
      "create",
      "--name",
      "stopped",
      "-v",
      "reach:/new/place",
      "-v",
      `${host}/own:/bound:ro`,
      "busybox",
    ]);
    await daemon.ok(["cp", `${host}/file`, "stopped:/new/place/file"]);
    assert.equal(readFileSync(join(daemon.dataRoot, "volumes/reach/_data/file"), "utf8"), "text");
    await daemon.ok(["cp", "stopped:/bound/in", join(host, "copied")]);
    assert.equal(readFileSync(join(host, "copied"), "utf8"), "in");
    assert.match(
      (await daemon.docker(["cp", `${host}/file`, "stopped:/bound"])).stderr,
      /mounted volume is marked read-only/,
    );
  });
});

describe("the API of volumes", () => {
  const api = (method: string, path: string, body?: object) => call(daemon.socket, method, path, body);

  test("create, inspect, list, remove", async () => {
    const created = await api("POST", "/volumes/create", { Name: "one", Labels: { l: "1" } });
    assert.equal(created.status, 201);
    const { CreatedAt, ...volume } = JSON.parse(created.body.toString());
    assert.match(CreatedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(volume, {
      Name: "one",
      Driver: "local",
      Labels: { l: "1" },
      Options: null,
      Scope: "local",
      Mountpoint: join(daemon.dataRoot, "volumes/one/_data"),
    });
    const again = await api("POST", "/volumes/create", { Name: "one", Labels: { l: "2" } });
    assert.equal(JSON.parse(again.body.toString()).Labels.l, "1");
    await daemon.ok(["create", "--name", "user", "-v", "one:/x", "busybox"]);
    const list = async (filters: object): Promise<string[]> => {
      const { body } = await api("GET", `/volumes?filters=${encodeURIComponent(JSON.stringify(filters))}`);
      return JSON.parse(body.toString()).Volumes.map(({ Name }: { Name: string }) => Name);
    };
    assert.ok((await list({ dangling: ["false"] })).includes("one"));
    assert.ok(!(await list({ dangling: ["true"] })).includes("one"));
    assert.deepEqual(await list({ label: ["l=1"] }), ["one"]);
    assert.deepEqual(await list({ name: ["on"], driver: ["other"] }), []);
    const id = await daemon.ok(["inspect", "-f", "{{.Id}}", "user"]);
    const used = await api("DELETE", "/volumes/one?force=1");
    assert.deepEqual([used.status, message(used)], [409, `remove one: volume is in use - [${id}]`]);
    await daemon.ok(["rm", "user"]);
    assert.equal((await api("DELETE", "/volumes/one")).status, 204);
    const gone = await api("GET", "/volumes/one");
    assert.deepEqual([gone.status, message(gone)], [404, "get one: no such volume"]);
    assert.equal((await api("DELETE", "/volumes/one")).status, 404);
    assert.equal((await api("DELETE", "/volumes/one?force=1")).status, 204);
  });

  test("events tell of it", async () => {
    const since = String(Math.floor(Date.now() / 1000) - 1);
    await daemon.ok(["volume", "create", "told"]);
    await out(["-v", "told:/t"], "true");
    await daemon.ok(["volume", "rm", "told"]);
    const until = String(Math.floor(Date.now() / 1000) + 1);
    const events = await daemon.ok([
      "events",
      "--since",
      since,
      "--until",
      until,
      "--filter",
      "volume=told",
      "--format",
      "{{.Type}} {{.Action}}",
    ]);
    assert.deepEqual(
      events.split("\n").filter((line) => line.startsWith("volume")),
      ["volume create", "volume mount", "volume unmount", "volume destroy"],
    );
  });

  test("prune takes anonymous ones, with all the named too", async () => {
    await daemon.ok(["volume", "create", "named"]);
    const anonymous = await daemon.ok(["volume", "create"]);
    writeFileSync(join(daemon.dataRoot, "volumes", anonymous, "_data/f"), "12345");
    const first = await daemon.ok(["volume", "prune", "-f"]);
    assert.ok(first.includes(anonymous) && first.endsWith("5B"), first);
    assert.deepEqual(
      (await volumes()).filter((name) => name === "named"),
      ["named"],
    );
    assert.match(await daemon.ok(["volume", "prune", "-af"]), /named/);
  });
});

test("what cannot be is refused with dockerd's words, and nothing is left", async () => {
  symlinkSync("/", join(host, "link"));
  const containers = await daemon.ok(["ps", "-aq"]);
  const before = await volumes();
  const cases: [object, string][] = [
    [{ Binds: ["./rel:/a"] }, 'create ./rel: "./rel" includes invalid characters for a local volume name'],
    [
      { Binds: ["a:b"] },
      "invalid volume specification: 'a:b': invalid mount config for type \"volume\": invalid mount path: 'b' mount path must be absolute",
    ],
    [
      { Binds: ["/tmp:/"] },
      "invalid volume specification: '/tmp:/': invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
    ],
    [{ Binds: [""] }, "invalid volume specification: ''"],
    [{ Binds: ["/tmp:/a:foo"] }, "invalid mode: foo"],
    [{ Binds: ["/tmp:/a:ro,rw"] }, "invalid mode: ro,rw"],
    [
      { Binds: ["/tmp:/a:nocopy"] },
      "invalid volume specification: '/tmp:/a:nocopy': invalid mount config for type \"bind\": field VolumeOptions must not be specified",
    ],
    [{ Binds: ["/tmp:/a", "/etc:/a/"] }, "Duplicate mount point: /a"],
    [{ Binds: ["/anon", "/tmp:/a"], Tmpfs: { "/a": "" } }, "Duplicate mount point: /a"],
    [
      { Binds: ["/anon", "x:/a"] },
      "create x: volume name is too short, names should be at least two alphanumeric characters",
    ],
    [{ Tmpfs: { "/a": "foo" } }, 'invalid tmpfs option ["foo"]'],
    [{ Tmpfs: { rel: "" } }, "invalid mount path: 'rel' mount path must be absolute"],
    [{ VolumesFrom: ["nope"] }, "No such container: nope"],
    [{ VolumesFrom: [""] }, "volumes-from specification cannot be an empty string"],
    [
      { Mounts: [{ Type: "bind", Source: "", Target: "/a" }] },
      'invalid mount config for type "bind": field Source must not be empty',
    ],
    [
      { Mounts: [{ Type: "volume", Target: "/a", ReadOnly: true }] },
      'invalid mount config for type "volume": must not set ReadOnly mode when using anonymous volumes',
    ],
    [
      { Mounts: [{ Type: "npipe", Source: "x", Target: "/a" }] },
      'invalid mount config for type "npipe": mount type unknown',
    ],
    [
      {
        Mounts: [
          {
            Type: "volume",
            Source: "v4",
            Target: "/a",
            VolumeOptions: { DriverConfig: { Options: { foo: "x" } } },
          },
        ],
      },
      'create v4: invalid option: "foo"',
    ],
  ];
  for (const [HostConfig, text] of cases) {
    const answer = await call(daemon.socket, "POST", "/containers/create", { Image: "busybox", HostConfig });
    assert.equal(answer.status, 400, text);
    assert.ok(message(answer).startsWith(text), `${message(answer)} for ${text}`);
  }
  assert.equal(await daemon.ok(["ps", "-aq"]), containers);
  assert.deepEqual(await volumes(), before);
});
