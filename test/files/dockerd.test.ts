// The same requests to Berth and to dockerd, where that is installed: the answers have to be the same.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { run, TestDaemon } from "../support/daemon.ts";
import { noDockerd, Peer } from "../support/dockerd.ts";
import { tarOf } from "../support/images.ts";
import { type Answer, archiveUrl, call, layers, listing, message, pathStat } from "./support.ts";

describe("as dockerd", { skip: noDockerd }, () => {
  const peer = new Peer("files");
  let daemon: TestDaemon;
  let directory: string;
  before(async () => {
    [daemon] = await Promise.all([TestDaemon.start("files-dockerd"), peer.up()]);
    directory = mkdtempSync(join(tmpdir(), "berth-files-same-"));
    await both(["import", rootfs(), "files"]);
    await both(["import", "-c", "VOLUME /data", "-c", "VOLUME /fresh", rootfs(), "volumes"]);
  });
  after(async () => {
    await daemon.end();
    assert.deepEqual(daemon.leftovers(), []);
    await peer.down();
    rmSync(directory, { recursive: true, force: true });
  });

  function rootfs(): string {
    const file = join(directory, "rootfs.tar");
    // Archives may be joined but for their ends.
    const [lower = Buffer.alloc(0), upper = Buffer.alloc(0)] = layers();
    writeFileSync(file, Buffer.concat([lower.subarray(0, -1024), upper]));
    return file;
  }

  const both = async (args: string[]): Promise<string[]> => {
    const results = await Promise.all(
      [daemon.socket, peer.socket].map((socket) => run("docker", ["-H", `unix://${socket}`, ...args])),
    );
    for (const { code, stderr } of results) assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
    return results.map(({ stdout }) => stdout);
  };
  const ask = (method: string, path: string, body?: Buffer | object): Promise<[Answer, Answer]> =>
    Promise.all([call(daemon.socket, method, path, body), call(peer.socket, method, path, body)]);
  /** dockerd makes its mount points before a start, of its own kinds, and names host paths in some errors. */
  const comparable = (lines: string[]): string[] =>
    lines.filter(
      (line) =>
        !/(^| |\/)(\.dockerenv|etc\/(hostname|hosts|resolv\.conf|mtab)|dev\/.*|dev\/|proc\/|sys\/)( |$)/.test(
          line,
        ),
    );

  test("archives and what they say of a path", async () => {
    await both(["create", "--name", "get", "--net", "none", "files", "true"]);
    const paths =
      "/ /. data data/ data/. /data/file /data/file/ /data/link absl absl/ absl/. etc/rel etc/rel/ etc/rel/x nope data/nope bin/../data . .. ../../etc/passwd data/sub/.. nope/";
    for (const path of paths.split(" ")) {
      const [ours, theirs] = await ask("GET", archiveUrl("get", path));
      assert.equal(ours.status, theirs.status, path);
      if (ours.status === 404) assert.equal(message(ours), message(theirs));
      if (ours.status !== 200) continue;
      const stats = [ours, theirs].map((answer) => {
        const { mtime, size, ...stat } = pathStat(answer);
        // The root's time and a directory's size are the file system's own matter.
        return path.startsWith("/") || path.startsWith(".") ? stat : { ...stat, mtime };
      });
      assert.deepEqual(stats[0], stats[1], path);
      assert.deepEqual(comparable(await listing(ours.body)), comparable(await listing(theirs.body)), path);
    }
  });

  test("archives put", async () => {
    const file = { data: "x" };
    const archives: Record<string, Buffer> = {
      above: tarOf([{ name: "../evil", ...file }]),
      absolute: tarOf([{ name: "/abs/evil", ...file }]),
      "above the root": tarOf([{ name: "/../evil2", ...file }]),
      "absolute link": tarOf([
        { name: "sa", type: "symlink", linkname: "/etc", mode: 0o777 },
        { name: "sa/evil", ...file },
      ]),
      "hard link to nothing": tarOf([{ name: "h", type: "link", linkname: "nope" }]),
      "hard link to the host": tarOf([{ name: "h", type: "link", linkname: "/etc/passwd" }]),
      device: tarOf([{ name: "null", type: "character", major: 1, minor: 3, mode: 0o666 }]),
      fifo: tarOf([{ name: "ff", type: "fifo", mode: 0o600 }]),
      whiteout: tarOf([{ name: ".wh.file", data: "" }]),
      setuid: tarOf([{ name: "own", ...file, uid: 1234, gid: 567, mode: 0o4755 }]),
      "directory over file": tarOf([{ name: "file/", type: "directory" }]),
      "file over directory": tarOf([{ name: "sub", ...file }]),
      deep: tarOf([{ name: "n1/n2/f", ...file, uid: 33 }]),
      "the directory itself": tarOf([{ name: "./", type: "directory", mode: 0o700, uid: 9 }]),
      "file over link": tarOf([{ name: "link", ...file }]),
      garbage: Buffer.alloc(4096, "garbage"),
      nothing: Buffer.alloc(0),
    };
    for (const [what, archive] of Object.entries(archives)) {
      for (const more of ["", "&noOverwriteDirNonDir=1"]) {
        await both(["create", "--name", "put", "--net", "none", "files", "true"]);
        const [ours, theirs] = await ask("PUT", archiveUrl("put", "/data", more), archive);
        assert.equal(ours.status, theirs.status, `${what}: ${ours.body} ${theirs.body}`);
        if (ours.status === 200) {
          const [mine, other] = await ask("GET", archiveUrl("put", "/data"));
          assert.deepEqual(await listing(mine.body), await listing(other.body), what);
          const [a, b] = (await both(["diff", "put"])).map((text) => text.split("\n").sort());
          assert.deepEqual(a, b, what);
        } else if (!message(theirs).includes("archive/tar")) {
          assert.equal(message(ours), message(theirs), what);
        }
        await both(["rm", "put"]);
      }
    }
  });

  test("export and diff after a run", async () => {
    const script =
      "echo x >> /etc/passwd; echo > /data/sub/new; rm /data/file; mkdir -p /q/w; touch /q/w/e; ln -s a /q/l; " +
      "rm -rf /home; mkdir /home; chmod 700 /bin; rm -rf /var/tmp; ln -s /tmp /var/tmp; mknod /pp p; chown 5:6 /data/hard; mv /data/link /data/moved";
    await both(["run", "--name", "ran", "--net", "none", "-v", "/vol/here", "files", "sh", "-c", script]);
    const [ours = "", theirs = ""] = await both(["diff", "ran"]);
    assert.deepEqual(ours.split("\n").sort(), theirs.split("\n").sort());
    const exported = await ask("GET", "/containers/ran/export");
    const [mine, other] = await Promise.all(
      exported.map(async ({ body }) => comparable(await listing(body))),
    );
    assert.deepEqual(mine, other);
  });

  test("mounts as inspect shows them", async () => {
    const made = { "one:/a": "named", "two:/b:ro,nocopy": "" };
    const binds = [...Object.keys(made), "/usr:/c:ro", "/usr:/d:rslave,z"];
    const mounts = [
      { Type: "bind", Source: "/usr", Target: "/e/" },
      { Type: "volume", Source: "three", Target: "/f" },
      { Type: "tmpfs", Target: "/g", TmpfsOptions: { SizeBytes: 1 << 20 } },
    ];
    const request = {
      Image: "volumes",
      Cmd: ["true"],
      HostConfig: { Binds: binds, Mounts: mounts, NetworkMode: "none" },
    };
    const created = await ask("POST", "/containers/create?name=mounted", request);
    for (const { status, body } of created) assert.equal(status, 201, body.toString());
    const inspected = await ask("GET", "/containers/mounted/json");
    const [ours, theirs] = inspected.map(({ body }) => {
      const { Mounts, HostConfig, Config } = JSON.parse(body.toString());
      for (const mount of Mounts) {
        if (mount.Type !== "volume") continue;
        mount.Source = mount.Source.replace(/.*\/volumes/, "").replaceAll(/[0-9a-f]{64}/g, "ID");
        mount.Name = mount.Name.replace(/[0-9a-f]{64}/, "ID");
      }
      Mounts.sort((a: { Destination: string }, b: { Destination: string }) =>
        a.Destination < b.Destination ? -1 : 1,
      );
      return { Mounts, binds: HostConfig.Binds, mounts: HostConfig.Mounts, volumes: Config.Volumes };
    });
    assert.deepEqual(ours, theirs);
  });
});
