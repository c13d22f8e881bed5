// Images with the real docker CLI: in, looked at, named, run, out.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { TestDaemon } from "../support/daemon.ts";
import { busyboxImage, busyboxLayer, dockerArchive, imageId, ociLayout, tarOf } from "../support/images.ts";

describe("images with the docker CLI", () => {
  let daemon: TestDaemon;
  before(async () => {
    daemon = await TestDaemon.start("images");
  });
  after(() => daemon.end());

  const id = imageId(busyboxImage());

  test("load tells what it loaded, quietly or not", async () => {
    const input = gzipSync(ociLayout([busyboxImage({ tags: ["other:1"] })]));
    const { code, stdout } = await daemon.docker(["load"], { input });
    assert.deepEqual([code, stdout.trim()], [0, "Loaded image: other:1"]);
    const quiet = await daemon.docker(["load", "-q"], { input: dockerArchive([busyboxImage({ tags: [] })]) });
    assert.equal(quiet.stdout.trim(), `Loaded image ID: ${id}`);
  });

  test("a damaged archive fails with a message and exit code 1", async () => {
    const { code, stderr } = await daemon.docker(["load"], {
      input: dockerArchive([busyboxImage()]).subarray(0, 5000),
    });
    assert.equal(code, 1);
    assert.match(stderr, /unexpected EOF/);
  });

  test("images, with filters and a format", async () => {
    await daemon.ok(["tag", "busybox", "localhost:5000/team/bb:v1"]);
    const list = async (...args: string[]) =>
      (await daemon.ok(["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}", ...args])).split("\n");
    assert.deepEqual(await list("-f", "reference=localhost:5000/*/*"), [
      `localhost:5000/team/bb:v1 ${id.slice(7, 19)}`,
    ]);
    assert.ok((await list()).includes(`busybox:latest ${id.slice(7, 19)}`));
    assert.equal(await daemon.ok(["images", "-q", "--no-trunc", "busybox"]), id);
    const { code, stderr } = await daemon.docker(["images", "-f", "nonsense=1"]);
    assert.equal(code, 1);
    assert.match(stderr, /invalid filter 'nonsense'/);
  });

  test("inspect and history", async () => {
    const [image] = JSON.parse(await daemon.ok(["image", "inspect", "busybox"]));
    assert.equal(image.Id, id);
    assert.deepEqual(image.Config.Cmd, ["sh"]);
    assert.equal(image.RootFS.Layers.length, 1);
    assert.equal(await daemon.ok(["history", "--format", "{{.CreatedBy}}", "busybox"]), "layer 0");
    const missing = await daemon.docker(["image", "inspect", "nosuch"]);
    assert.deepEqual(
      [missing.code, missing.stderr.trim()],
      [1, "Error response from daemon: No such image: nosuch:latest"],
    );
  });

  test("an image of several layers is one tree, whiteouts hide what is below", async () => {
    const upper = tarOf([
      { name: "etc/.wh.group" },
      { name: "home/", type: "directory" },
      { name: "home/.wh..wh..opq" },
      { name: "home/new", data: "new\n" },
      { name: "new", data: "n" },
    ]);
    const lower = tarOf([{ name: "home/old", data: "old\n" }]);
    const image = busyboxImage({ tags: ["layered:1"], layers: [busyboxLayer(), lower, upper] });
    await daemon.ok(["load"], { input: dockerArchive([image]) });
    const files = await daemon.ok(["run", "--rm", "layered:1", "ls", "/etc", "/home"]);
    assert.equal(files, "/etc:\nhostname\nhosts\nmtab\npasswd\nresolv.conf\n\n/home:\nnew");
    await daemon.ok(["rmi", "layered:1"]);
  });

  test("import, with changes, and run", async () => {
    const changes = ["--change", 'ENTRYPOINT ["/bin/echo"]', "--change", 'CMD ["imported"]'];
    const imported = await daemon.ok(["import", ...changes, "-m", "by hand", "-", "imp:1"], {
      input: busyboxLayer(),
    });
    assert.match(imported, /^sha256:[0-9a-f]{64}$/);
    assert.equal(await daemon.ok(["run", "--rm", "imp:1"]), "imported");
    assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Comment}}", "imp:1"]), "by hand");
    assert.equal(
      await daemon.ok(["rmi", "-f", "imp:1"]).then((text) => text.split("\n")[0]),
      "Untagged: imp:1",
    );
  });

  test("a large archive that is refused at its beginning is told at once", async () => {
    const rest = { name: "rest", data: Buffer.alloc(50_000_000) };
    const input = tarOf([{ name: "../../x", data: "x" }, rest]);
    const { code, stderr } = await daemon.docker(["import", "-", "imp:2"], { input, timeout: 20_000 });
    assert.equal(code, 1);
    assert.match(stderr, /outside of the archive's root/);
  });

  test("rmi is refused while a container uses the image, and forced only when it is stopped", async () => {
    await daemon.ok(["load"], {
      input: dockerArchive([busyboxImage({ tags: ["used:1"], config: { Env: ["A=1"] } })]),
    });
    const container = await daemon.ok(["run", "-d", "used:1", "sleep", "100"]);
    const image = await daemon.ok(["images", "-q", "used:1"]);
    const refused = await daemon.docker(["rmi", "used:1"]);
    assert.equal(
      refused.stderr.trim(),
      `Error response from daemon: conflict: unable to remove repository reference "used:1" (must force) - container ${container.slice(0, 12)} is using its referenced image ${image}`,
    );
    const running = await daemon.docker(["rmi", "-f", image]);
    assert.match(running.stderr, /cannot be forced.*running container/);
    await daemon.ok(["kill", container]);
    await daemon.ok(["rmi", "-f", image]);
    await daemon.ok(["start", container]);
    await daemon.ok(["rm", "-f", container]);
  });

  test("a name or a part of an id that does not exist", async () => {
    const { code, stderr } = await daemon.docker(["rmi", "nosuch"]);
    assert.deepEqual([code, stderr.trim()], [1, "Error response from daemon: No such image: nosuch:latest"]);
    const bad = await daemon.docker(["tag", "busybox", "Bad"]);
    assert.equal(bad.code, 1);
  });

  test("prune", async () => {
    await daemon.ok(["load"], {
      input: dockerArchive([busyboxImage({ tags: [], config: { Env: ["B=1"] } })]),
    });
    const pruned = await daemon.ok(["image", "prune", "-f"]);
    assert.match(pruned, /^Deleted Images:\ndeleted: sha256:/);
    assert.match(await daemon.ok(["image", "prune", "-f"]), /Total reclaimed space: 0B/);
  });

  test("berth system check", async () => {
    const sound = await daemon.berth(["system", "check"]);
    assert.equal(sound.code, 0, sound.stderr);
    assert.match(sound.stdout, /images, .* layers, .* all sound/);
  });
});
