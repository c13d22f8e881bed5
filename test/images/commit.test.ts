// docker commit, export and import: what a container changed becomes an image.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";

describe("commit", () => {
  let daemon: TestDaemon;
  before(async () => {
    daemon = await TestDaemon.start("commit");
  });
  after(() => daemon.end());

  test("what was added, changed and removed is in the image, and its owners and modes", async () => {
    const script = [
      "echo new > /new",
      "rm /etc/group",
      "rm -r /home && mkdir /home && cd /home && echo x > x && cd /",
      "chown 7:8 /new && chmod 4711 /new",
      "ln /new /hard && ln -s new /soft",
      "mkfifo /pipe",
    ].join(" && ");
    await daemon.ok(["run", "--name", "made", "busybox", "sh", "-c", script]);
    const id = await daemon.ok(["commit", "-m", "by hand", "-a", "me", "made", "made:1"]);
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    const look = "stat -c '%n %u:%g %a %h %F' /new /hard /pipe; readlink /soft; ls /home; ls /etc/group";
    const seen = await daemon.docker(["run", "--rm", "made:1", "sh", "-c", look]);
    assert.deepEqual(seen.stdout.trim().split("\n"), [
      "/new 7:8 4711 2 regular file",
      "/hard 7:8 4711 2 regular file",
      "/pipe 0:0 644 1 fifo",
      "new",
      "x",
    ]);
    assert.match(seen.stderr, /No such file/);
    const [image] = JSON.parse(await daemon.ok(["image", "inspect", "made:1"]));
    assert.equal(image.Author, "me");
    assert.equal(image.Comment, "by hand");
    assert.equal(image.RootFS.Layers.length, 2);
    const history = await daemon.ok([
      "history",
      "--no-trunc",
      "--format",
      "{{.CreatedBy}}|{{.Comment}}",
      "made:1",
    ]);
    assert.deepEqual(history.split("\n"), [`sh -c ${script}|by hand`, "layer 0|"]);
  });

  test("the container's configuration goes on, with changes", async () => {
    await daemon.ok([
      "create",
      "--name",
      "configured",
      "-e",
      "A=1",
      "-w",
      "/tmp",
      "--label",
      "l=1",
      "busybox",
      "pwd",
    ]);
    await daemon.ok(["commit", "-c", "ENV B=2", "-c", 'CMD ["env"]', "configured", "configured:1"]);
    const out = await daemon.ok(["run", "--rm", "configured:1"]);
    assert.match(out, /^A=1$/m);
    assert.match(out, /^B=2$/m);
    const [image] = JSON.parse(await daemon.ok(["image", "inspect", "configured:1"]));
    assert.deepEqual(image.Config.Labels, { l: "1" });
    assert.equal(image.Config.WorkingDir, "/tmp");
    // Nothing was changed, so nothing is added.
    assert.equal(image.RootFS.Layers.length, 1);
    const bad = await daemon.docker(["commit", "-c", "RUN x", "configured"]);
    assert.deepEqual(
      [bad.code, bad.stderr.trim()],
      [1, "Error response from daemon: run is not a valid change command"],
    );
  });

  test("a running container is frozen meanwhile and goes on after", async () => {
    const id = await daemon.ok(["run", "-d", "busybox", "sh", "-c", "echo now > /now; while :; do :; done"]);
    await until(
      "the file is there",
      async () => (await daemon.docker(["exec", id, "cat", "/now"])).stdout === "now\n",
    );
    await daemon.ok(["commit", id, "running:1"]);
    assert.equal(await daemon.ok(["inspect", "-f", "{{.State.Status}}", id]), "running");
    await daemon.ok(["commit", "--pause=false", id, "running:2"]);
    await daemon.ok(["rm", "-f", id]);
    assert.equal(await daemon.ok(["run", "--rm", "running:1", "cat", "/now"]), "now");
  });

  /** A running container whose commit takes a while. */
  async function slow(megabytes: string): Promise<string> {
    const id = await daemon.ok([
      "run",
      "-d",
      "busybox",
      "sh",
      "-c",
      "while :; do date +%s%N; sleep 0.01; done",
    ]);
    await daemon.ok(["exec", id, "dd", "if=/dev/zero", "of=/large", "bs=1M", "count=0", `seek=${megabytes}`]);
    return id;
  }
  const status = (id: string): Promise<string> => daemon.ok(["inspect", "-f", "{{.State.Status}}", id]);
  const paused = (id: string): Promise<void> =>
    until("it is paused", async () => (await status(id)) === "paused");

  test("one that is killed meanwhile, or let go on, is committed all the same", async () => {
    const id = await slow("200");
    for (const [verb, after] of [
      ["unpause", "running"],
      ["kill", "exited"],
    ] as const) {
      const committing = daemon.docker(["commit", id, `${verb}:1`]);
      await paused(id);
      await daemon.ok([verb, id]);
      const { code, stdout, stderr } = await committing;
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Id}}", `${verb}:1`]), stdout.trim());
      await until(`it is ${after}`, async () => (await status(id)) === after);
    }
    await daemon.ok(["rm", "-f", id]);
  });

  test("after the death of the daemon in a commit the container goes on; one that a user paused does not", async () => {
    const [id, other] = [await slow("8000"), await slow("0")];
    await daemon.ok(["pause", other]);
    const committing = daemon.docker(["commit", id, "cut:1"]);
    await paused(id);
    await daemon.down("SIGKILL");
    assert.notEqual((await committing).code, 0);
    await daemon.up();
    assert.deepEqual([await status(id), await status(other)], ["running", "paused"]);
    const before = await daemon.ok(["logs", "-n", "1", id]);
    await until("it goes on", async () => (await daemon.ok(["logs", "-n", "1", id])) !== before);
    assert.equal((await daemon.docker(["image", "inspect", "cut:1"])).code, 1);
    // A pause by a user now is nobody's but theirs.
    await daemon.ok(["pause", id]);
    await daemon.down("SIGKILL");
    await daemon.up();
    assert.equal(await status(id), "paused");
    await daemon.ok(["unpause", id]);
    await daemon.ok(["rm", "-f", id, other]);
  });

  test("a commit of a commit is saved and loaded bit for bit", async () => {
    await daemon.ok(["run", "--name", "second", "made:1", "sh", "-c", "rm /new && echo 2 > /second"]);
    const id = await daemon.ok(["commit", "second", "second:1"]);
    const saved = `${daemon.directory}/saved.tar`;
    await daemon.ok(["save", "-o", saved, "second:1"]);
    await daemon.ok(["rm", "-f", "second", "made"]);
    await daemon.ok(["rmi", "second:1", "made:1"]);
    assert.equal(await daemon.ok(["load", "-i", saved]), "Loaded image: second:1");
    assert.equal(await daemon.ok(["image", "inspect", "-f", "{{.Id}}", "second:1"]), id);
    assert.equal(
      await daemon.ok(["run", "--rm", "second:1", "sh", "-c", "cat /second; ls /new || true"]),
      "2",
    );
  });

  test("an image knows what it was committed from, which stays as long as it does", async () => {
    const inspect = (ref: string, field: string): Promise<string> =>
      daemon.ok(["image", "inspect", "-f", `{{.${field}}}`, ref]);
    const ids = async (...args: string[]): Promise<string[]> =>
      (await daemon.ok(["images", "-q", "--no-trunc", ...args])).split("\n").filter(Boolean);
    const layer = async (from: string, to: string): Promise<string> => {
      await daemon.ok(["run", "--name", "layer", from, "sh", "-c", `echo ${to} > /${to.replace(":", "-")}`]);
      const id = await daemon.ok(["commit", "layer", to]);
      await daemon.ok(["rm", "layer"]);
      return id;
    };
    await daemon.ok(["tag", "busybox", "base:1"]);
    const base = await inspect("busybox", "Id");
    const parent = await layer("base:1", "parent:1");
    const child = await layer("parent:1", "child:1");
    assert.deepEqual(
      [await inspect("parent:1", "Parent"), await inspect("child:1", "Parent")],
      [base, parent],
    );
    const history = await daemon.ok(["history", "--no-trunc", "--format", "{{.ID}}", "child:1"]);
    assert.deepEqual(history.split("\n"), [child, parent, base]);

    const refused = await daemon.docker(["rmi", parent]);
    const short = parent.slice(7, 19);
    assert.equal(
      refused.stderr.trim(),
      `Error response from daemon: conflict: unable to delete ${short} (cannot be forced) - image has dependent child images`,
    );
    assert.equal((await daemon.docker(["rmi", "-f", parent])).code, 1);
    assert.equal(await daemon.ok(["rmi", "parent:1"]), "Untagged: parent:1");
    // It is still there, but nobody is shown it who does not ask for everything.
    assert.ok(!(await ids()).includes(parent));
    assert.ok((await ids("-a")).includes(parent));
    assert.deepEqual(await ids("-f", "dangling=true"), []);
    assert.match(await daemon.ok(["image", "prune", "-f"]), /reclaimed space: 0B/);
    const removed = await daemon.ok(["rmi", "child:1"]);
    assert.match(removed, new RegExp(`Deleted: ${child}\n(.*\n)*Deleted: ${parent}`));
    assert.ok(!(await ids("-a")).includes(parent));
    assert.ok((await ids()).includes(base));

    await layer("busybox", "parent:2");
    const kept = await layer("parent:2", "child:2");
    await daemon.ok(["rmi", "parent:2"]);
    await daemon.ok(["rmi", "--no-prune", "child:2"]);
    assert.ok(!(await ids("-a")).includes(kept));
    assert.equal((await ids("-f", "dangling=true")).length, 1);
    await daemon.ok(["image", "prune", "-f"]);
    assert.deepEqual(await ids("-f", "dangling=true"), []);
  });
});
