// What an image says of itself holds for its containers, where those do not say otherwise.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";
import { busyboxImage, busyboxLayer, dockerArchive, tarOf } from "../support/images.ts";

let daemon: TestDaemon;
const script =
  'trap "echo told; exit 7" USR1; echo $A $0 $1; id -un; id -gn; pwd; touch /data/x && ls /data; while :; do sleep 0.1; done';

before(async () => {
  daemon = await TestDaemon.start("config");
  const users = tarOf([
    { name: "etc/passwd", data: "root:x:0:0::/:/bin/sh\nworker:x:1234:1234::/home:/bin/sh\n" },
    { name: "etc/group", data: "root:x:0:\nstaff:x:77:\n" },
    { name: "data/", type: "directory", uid: 1234, gid: 77 },
    { name: "data/there", data: "there", uid: 1234 },
  ]);
  const config = {
    Env: ["PATH=/bin:/usr/bin", "A=from the image"],
    Entrypoint: ["/bin/sh", "-c", script],
    Cmd: ["zero", "one"],
    User: "worker:staff",
    WorkingDir: "/made/for/it",
    Volumes: { "/data": {} },
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    StopSignal: "SIGUSR1",
    Healthcheck: { Test: ["CMD-SHELL", "test -e /data/x"], Interval: 100_000_000, Retries: 1 },
    Labels: { from: "image", both: "image" },
  };
  const image = busyboxImage({ tags: ["configured:1"], layers: [busyboxLayer(), users], config });
  await daemon.ok(["load"], { input: dockerArchive([image]) });
});
after(() => daemon.end());

const inspect = (id: string, format: string): Promise<string> => daemon.ok(["inspect", "-f", format, id]);

test("environment, command, user by name, directory, volume, ports, health, labels, signal", async () => {
  const id = await daemon.ok(["run", "-d", "-P", "--label", "both=container", "configured:1"]);
  await until("it is healthy", async () => (await inspect(id, "{{.State.Health.Status}}")) === "healthy");
  assert.deepEqual((await daemon.ok(["logs", id])).split("\n"), [
    "from the image zero one",
    "worker",
    "staff",
    "/made/for/it",
    "there",
    "x",
  ]);
  assert.equal(await inspect(id, "{{json .Config.Labels}}"), '{"both":"container","from":"image"}');
  assert.match(await daemon.ok(["port", id]), /^53\/udp -> .*:\d+\n(.*\n)*80\/tcp -> .*:\d+/);
  assert.equal(
    await inspect(id, "{{(index .Mounts 0).Type}} {{(index .Mounts 0).Destination}}"),
    "volume /data",
  );
  await daemon.ok(["stop", id]);
  assert.equal(await inspect(id, "{{.State.ExitCode}}"), "7");
  assert.match(await daemon.ok(["logs", id]), /told$/);
  await daemon.ok(["rm", "-v", id]);
  assert.equal(await daemon.ok(["volume", "ls", "-q"]), "");
});

test("what a container says goes before", async () => {
  const options = ["-e", "A=mine", "-u", "0", "-w", "/", "--no-healthcheck", "--stop-signal", "TERM"];
  const id = await daemon.ok(["create", ...options, "--entrypoint", "/bin/echo", "configured:1", "hello"]);
  assert.equal(await daemon.ok(["start", "-a", id]), "hello");
  assert.equal(
    await inspect(
      id,
      "{{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}} {{.Config.Healthcheck.Test}}",
    ),
    "0 / TERM [NONE]",
  );
  await daemon.ok(["rm", "-v", id]);
});
