// One layer of all that a build adds: with docker where the daemon is started for that, with berth always.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { configOf, filesOf } from "./same-image.ts";
import { ContextDirectory, dockerBuild, mustBuild } from "./support.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("build-squash");
  await mustBuild(
    daemon,
    {
      Dockerfile: `FROM busybox
RUN mkdir -p /d/sub /gone /file-later /kept && echo 1 > /d/a && echo 1 > /d/sub/b && echo 1 > /gone/x && \\
    echo 1 > /file-later/x && echo 1 > /dir-later && echo 1 > /kept/x && echo 1 > /again && ln -s d /link
`,
    },
    ["-t", "below"],
  );
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const inspect = async (image: string) => JSON.parse(await daemon.ok(["image", "inspect", image]))[0];

const Dockerfile = `FROM below
ENV A=1
RUN echo 2 > /d/a && rm -r /gone && rm -r /file-later && echo file > /file-later && rm /dir-later && mkdir /dir-later && \\
    echo in > /dir-later/in && head -c 300000 /dev/zero > /big && ln /big /big-link && echo secret > /secret && rm /again
RUN rm /big /secret && rm -r /d && mkdir /d && echo 3 > /d/new && chmod 700 /d && mkdir /gone && echo back > /gone/y && \\
    rm -r /dir-later && ln -s /d /dir-later && rm /file-later && mkdir /file-later && chown 5:6 /file-later && mkfifo /fifo
COPY copied /kept/
RUN rm /fifo /link && chmod 4755 /kept/copied && echo again > /again && rm -r /kept/x && ln /kept/copied /kept/hard
`;

test("the files and the configuration are the same, in one layer", async () => {
  using context = new ContextDirectory({ Dockerfile, copied: "copied\n" });
  const refused = await dockerBuild(daemon, context.path, ["--squash"]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /only supported on a Docker daemon with experimental features enabled/);
  await mustBuild(daemon, { Dockerfile, copied: "copied\n" }, ["-t", "layers"]);
  const own = await daemon.berth(["build", "--squash", "-t", "own", context.path]);
  assert.equal(own.code, 0, own.stderr);

  await daemon.down();
  await daemon.up("--experimental");
  assert.equal(await daemon.ok(["version", "-f", "{{.Server.Experimental}}"]), "true");
  const built = await dockerBuild(daemon, context.path, ["--squash", "-t", "squashed"]);
  assert.equal(built.code, 0, built.stderr);

  const [below, layers] = [await inspect("below"), await inspect("layers")];
  const [files, config] = [await filesOf(daemon, "layers"), await configOf(daemon, "layers")];
  assert.ok(files.some((line) => /^\/kept\/hard .*-> /.test(line)));
  for (const name of ["own", "squashed"]) {
    const image = await inspect(name);
    assert.deepEqual(image.RootFS.Layers.slice(0, -1), below.RootFS.Layers);
    assert.ok(image.Size < layers.Size - 250_000 || name === "", `${image.Size} ${layers.Size}`);
    assert.deepEqual(await filesOf(daemon, name), files);
    assert.deepEqual(await configOf(daemon, name), config);
    const history = JSON.parse(
      `[${(await daemon.ok(["history", "--no-trunc", "--format", "{{json .}}", name])).replaceAll("\n", ",")}]`,
    );
    assert.match(history[0].Comment, new RegExp(`^merge sha256:[0-9a-f]{64} to ${below.Id}$`));
    assert.equal(
      history.length,
      5 + 1 + 1 + (await daemon.ok(["history", "-q", "busybox"])).split("\n").length,
    );
  }
  // The same again, also where it goes as an archive.
  assert.equal((await inspect("own")).Id, (await inspect("squashed")).Id);
  const archive = `${daemon.directory}/squashed.tar`;
  await daemon.ok(["save", "-o", archive, "squashed"]);
  await daemon.ok(["rmi", "squashed", "own"]);
  await daemon.ok(["load", "-i", archive]);
  assert.deepEqual(await filesOf(daemon, "squashed"), files);
});

test("nothing below, and nothing to squash", async () => {
  const scratch = await daemon.berth(["build", "--squash", "-t", "scratch", "-"], {
    input: 'FROM busybox AS b\nFROM scratch\nCOPY --from=b /bin /bin\nRUN ["/bin/busybox", "touch", "/x"]',
  });
  assert.equal(scratch.code, 0, scratch.stderr);
  assert.equal((await inspect("scratch")).RootFS.Layers.length, 1);
  assert.equal(await daemon.ok(["run", "--rm", "scratch", "/bin/busybox", "ls", "/x"]), "/x");
  const none = await daemon.berth(["build", "--squash", "-t", "none", "-"], {
    input: "FROM busybox\nENV A=1",
  });
  assert.equal(none.code, 0, none.stderr);
  assert.deepEqual((await inspect("none")).RootFS.Layers, (await inspect("busybox")).RootFS.Layers);
});
