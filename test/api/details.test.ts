// Small things in answers that users of dockerd know.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call } from "../files/support.ts";
import { TestDaemon } from "../support/daemon.ts";
import { busyboxImage, busyboxLayer, dockerArchive } from "../support/images.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await TestDaemon.start("details");
  const other = busyboxImage({
    tags: ["other:1"],
    layers: [busyboxLayer()],
    config: { Labels: { a: "b" }, Volumes: { data: {} } },
  });
  await daemon.ok(["load"], { input: dockerArchive([other]) });
});
after(async () => {
  await daemon.end();
  assert.deepEqual(daemon.leftovers(), []);
});

const names = async (filter: string): Promise<string> =>
  (await daemon.ok(["ps", "-a", "--filter", filter, "--format", "{{.Names}}"])).split("\n").sort().join(" ");

test("a signal that is none is refused before the container is looked for", async () => {
  const { stderr } = await daemon.docker(["kill", "-s", "FOO", "nowhere"]);
  assert.match(stderr, /cannot kill container: nowhere: invalid signal: FOO/);
});

test("an image is the ancestor of what was made from it and of what lies on top of it", async () => {
  await daemon.ok(["create", "--name", "plain", "busybox"]);
  await daemon.ok(["create", "--name", "rich", "other:1"]);
  await daemon.ok(["commit", "-c", "ENV B=2", "plain", "derived"]);
  await daemon.ok(["create", "--name", "child", "derived"]);
  assert.equal(await names("ancestor=busybox"), "child plain");
  assert.equal(await names("ancestor=other:1"), "rich");
  assert.equal(await names("ancestor=nowhere"), "");
  await daemon.ok(["rm", "-v", "plain", "rich", "child"]);
  await daemon.ok(["rmi", "derived"]);
});

test("a container whose image has lost its name is listed with the image's id", async () => {
  await daemon.ok(["tag", "other:1", "moved:1"]);
  await daemon.ok(["create", "--name", "old", "moved:1"]);
  const image = () => daemon.ok(["ps", "-a", "--format", "{{.Image}}"]);
  assert.equal(await image(), "moved:1");
  await daemon.ok(["tag", "busybox", "moved:1"]);
  assert.equal(await image(), (await daemon.ok(["images", "-q", "other:1"])).slice(0, 12));
  await daemon.ok(["rm", "-v", "old"]);
  await daemon.ok(["rmi", "moved:1"]);
});

test("a filter on tasks takes a truth", async () => {
  const { code, stderr } = await daemon.docker(["ps", "--filter", "is-task=foo"]);
  assert.equal(code, 1);
  assert.match(stderr, /invalid filter 'is-task=foo'/);
});

test("events tell of images with their labels, of a commit's name, of networks without links", async () => {
  const since = String(Math.floor(Date.now() / 1000));
  await daemon.ok(["run", "--name", "told", "--network", "none", "other:1", "true"]);
  await daemon.ok(["commit", "told", "kept"]);
  await daemon.ok(["rm", "-v", "told"]);
  await daemon.ok(["rmi", "kept"]);
  const until = String(Math.floor(Date.now() / 1000) + 1);
  const format =
    "{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.imageRef}} {{.Actor.Attributes.a}}";
  const lines = (await daemon.ok(["events", "--since", since, "--until", until, "--format", format])).split(
    "\n",
  );
  const no = "<no value>";
  for (const line of [
    `network connect none ${no} ${no}`,
    `network disconnect none ${no} ${no}`,
    `image tag kept:latest ${no} b`,
    "container commit told kept:latest b",
  ])
    assert.ok(lines.includes(line), `${line}\nis not in\n${lines.join("\n")}`);
  assert.ok(
    lines.indexOf("network connect none <no value> <no value>") <
      lines.findIndex((line) => line.includes(" start ")),
  );
});

test("a volume that the image names without a slash", async () => {
  const answer = await daemon.ok([
    "run",
    "--rm",
    "--network",
    "none",
    "other:1",
    "grep",
    "-c",
    " /data ",
    "/proc/mounts",
  ]);
  assert.equal(answer, "1");
});

test("an entrypoint without words keeps the image's command", async () => {
  const body = { Image: "busybox", Entrypoint: [], Cmd: [] };
  const { status, body: text } = await call(daemon.socket, "POST", "/containers/create?name=empty", body);
  assert.equal(status, 201, text.toString());
  assert.equal(await daemon.ok(["inspect", "-f", "{{.Path}}", "empty"]), "sh");
  await daemon.ok(["rm", "empty"]);
});

test("a platform that cannot be one", async () => {
  const path = "/containers/create?platform=linux/arm/v7/x";
  const { status, body } = await call(daemon.socket, "POST", path, { Image: "busybox" });
  assert.equal(status, 400);
  assert.match(body.toString(), /cannot parse platform specifier/);
});

test("an address is only for networks of one's own", async () => {
  const options = ["run", "--rm", "--network", "none", "--ip", "10.9.9.9", "busybox", "true"];
  const { code, stderr } = await daemon.docker(options);
  assert.equal(code, 125);
  assert.match(stderr, /user specified IP address is supported on user defined networks only/);
});

test("users and groups by numbers that cannot be", async () => {
  for (const user of ["-1", "2147483648", "0:-5"]) {
    const { code, stderr } = await daemon.docker([
      "run",
      "--rm",
      "--network",
      "none",
      "-u",
      user,
      "busybox",
      "id",
    ]);
    assert.equal(code, 125);
    assert.match(stderr, /uids and gids must be in range 0-2147483647/, user);
  }
});

test("an exec has to be in a directory from the root on", async () => {
  await daemon.ok(["run", "-d", "--name", "busy", "--network", "none", "busybox", "sleep", "600"]);
  const { code, stdout, stderr } = await daemon.docker(["exec", "-w", "tmp", "busy", "pwd"]);
  assert.equal(code, 126);
  assert.match(
    stdout + stderr,
    /^OCI runtime exec failed: exec failed: Cwd must be an absolute path: unknown/,
  );
  await daemon.ok(["rm", "-f", "busy"]);
});

test("the network a container was in stays known when it has ended", async () => {
  await daemon.ok(["run", "--name", "ended", "--network", "none", "busybox", "true"]);
  const id = await daemon.ok(["inspect", "-f", "{{.NetworkSettings.Networks.none.NetworkID}}", "ended"]);
  assert.equal(id, await daemon.ok(["network", "inspect", "-f", "{{.Id}}", "none"]));
  await daemon.ok(["rm", "ended"]);
});
