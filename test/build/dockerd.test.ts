// The same Dockerfiles built by Berth, in both of its ways, and by dockerd's classic builder, where that is
// installed: files and configuration have to be the same.
import assert from "node:assert/strict";
import { chmodSync, linkSync, mkdirSync, symlinkSync, utimesSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Result, TestDaemon } from "../support/daemon.ts";
import { noDockerd, Peer } from "../support/dockerd.ts";
import { busyboxImage, dockerArchive } from "../support/images.ts";
import { bzip2, gzip, tarWith, xz } from "./archives.ts";
import { configOf, type Docker, filesOf } from "./same-image.ts";
import { ContextDirectory, dockerBuild, type Files } from "./support.ts";

describe("as dockerd", { skip: noDockerd }, () => {
  const peer = new Peer("build");
  let daemon: TestDaemon;
  let web: Server;
  let address: string;
  before(async () => {
    [daemon] = await Promise.all([TestDaemon.start("build-dockerd"), peer.up()]);
    await peer.ok(["load"], { input: dockerArchive([busyboxImage()]) });
    web = createServer((_, response) => {
      response.writeHead(200, { "Last-Modified": "Tue, 02 Jan 2018 03:04:05 GMT" }).end("from the web");
    });
    await new Promise<void>((done) => web.listen(0, "127.0.0.1", done));
    address = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  });
  after(async () => {
    web.close();
    await daemon.end();
    assert.deepEqual(daemon.leftovers(), []);
    await peer.down();
  });

  /** Builds with all three, and compares what came out; returns what the builds of docker said. */
  async function same(context: ContextDirectory, args: string[] = [], ...images: string[]): Promise<void> {
    const given = ["-t", "same", ...args, "--network", "none"];
    const [ours, theirs] = await Promise.all([
      dockerBuild(daemon, context.path, given),
      dockerBuild(peer, context.path, given),
    ]);
    assert.equal(theirs.code, 0, `dockerd: ${theirs.stderr}${theirs.stdout}`);
    assert.equal(ours.code, 0, ours.stderr + ours.stdout);
    const own = await daemon.berth(["build", "-t", "own", ...given.slice(2), context.path]);
    assert.equal(own.code, 0, own.stderr);
    const [files, config] = await Promise.all([filesOf(peer, "same"), configOf(peer, "same")]);
    for (const image of ["same", "own", ...images]) {
      const ours = await filesOf(daemon, image);
      const missing = files.filter((line) => !ours.includes(line));
      assert.deepEqual(
        { more: ours.filter((line) => !files.includes(line)), missing },
        { more: [], missing: [] },
      );
      assert.deepEqual(await configOf(daemon, image), config);
    }
  }

  /** Builds that fail: with the same exit status, and the same reason unless dockerd's is an odd one. */
  async function sameFailure(files: Files, args: string[] = [], isOdd = false): Promise<void> {
    using context = new ContextDirectory(files);
    const run = (docker: Pick<Docker, "docker">): Promise<Result> =>
      dockerBuild(docker, context.path, ["--network", "none", ...args]);
    const [ours, theirs] = await Promise.all([run(daemon), run(peer)]);
    const reason = ({ stderr }: Result): string =>
      (stderr.split("environment-variable.\n\n").at(-1) ?? "")
        // Where it is comes after it.
        .replace(/\n\S*Dockerfile:\d[\s\S]*/, "\n")
        .replace(/^Error response from daemon: /, "")
        .replace(/^(dockerfile parse error (?:on )?line \d+|failed to parse Dockerfile): /, "")
        .replace(/\.?\n*$/, "")
        .toLowerCase();
    assert.equal(ours.code, theirs.code, `${String(files.Dockerfile)}: ${ours.stderr}${theirs.stderr}`);
    if (!isOdd) assert.equal(reason(ours), reason(theirs), String(files.Dockerfile));
  }

  test("every instruction", async () => {
    using context = new ContextDirectory({
      Dockerfile: `# a comment
ARG BASE=busybox
FROM $BASE AS first
LABEL a="b c" d=e "key with blanks"=x multi="one \\
two"
LABEL old value with blanks
MAINTAINER me <me@example.com>
ARG WHO=nobody
ENV GREETING="hello \${WHO}" PLAIN=x\\ y SINGLE='$WHO'
ENV LEGACY some value  here
WORKDIR /work
WORKDIR sub/\${WHO}
COPY file.txt dir/ ./
RUN echo "$GREETING" > greeting && \\
    # not part of it
    id > id
RUN ["sh", "-c", "echo $0 exec > exec"]
USER nobody:users
RUN id > /tmp/user && umask > /tmp/umask
USER root
EXPOSE 80 53/udp 8000-8003/tcp
VOLUME /data "/quoted"
VOLUME ["/json a", "/b"]
RUN ls -ld /data "/json a" | cut -c1-10 > /volumes
STOPSIGNAL 9
HEALTHCHECK --interval=5s --timeout=3s --start-period=1s --retries=3 CMD [ -f /ready ] || exit 1
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT ["sh", "-c"]
CMD echo hi $WHO
ONBUILD RUN echo later > /later
ONBUILD COPY file.txt /onbuild
FROM first AS second
MAINTAINER me <me@example.com>
ENV PLAIN=
CMD ["x"]
ENTRYPOINT
FROM first AS third
MAINTAINER me <me@example.com>
CMD
FROM scratch
COPY --from=first /work /work
COPY --from=1 /onbuild /later /
COPY --from=0 /tmp/user /tmp/umask /tmp/
ENTRYPOINT []
`,
      "file.txt": "text\n",
      "dir/inner/deep": "deep\n",
    });
    await same(context, ["--target", "first", "--build-arg", "WHO=you", "--label", "more=$x"]);
    await same(context, ["--target", "second"]);
    await same(context, ["--target", "third"]);
    await same(context);
  });

  test("copies: destinations, owners, modes, links, ignored files, archives, the web", async () => {
    using context = new ContextDirectory({
      Dockerfile: `FROM busybox
RUN mkdir -p /real /has && ln -s /real /link && ln -s gone /dangling && echo old > /has/file && chmod 700 /has
COPY a.txt /timed/file
COPY a.txt /timed/dir/
COPY a.txt b.txt /timed/both/
COPY *.txt /globs/
COPY [ "with blank", "/blank dir/" ]
COPY tree /timed/tree
COPY tree/ /timed/tree-slash/
COPY tree/sub /timed/merged/
COPY a.txt /link/
COPY a.txt /link/renamed
COPY tree /has
COPY --chown=nobody:users a.txt /owned/by/name
COPY --chown=nobody tree /owned/tree
COPY --chown=12:34 a.txt /owned/by/number
COPY --chown=55 a.txt /owned/by/half
COPY . /everything
COPY tree/./sub/../link-in /timed/link-in
COPY links /timed/links
ADD x.tar.gz /added/gz/
ADD x.tar.xz /added/xz
ADD x.tar.bz2 x.tar /added/both/
ADD not.tar.gz /added/plain
ADD ${address}/name /web/
ADD ${address}/name /web/renamed
ADD --chown=9:9 ${address}/name?query=1 /web/owned/
WORKDIR /made/by/workdir
COPY a.txt .
COPY a.txt ../above
`,
      ".dockerignore":
        "# not these\nsecret*\n**/*.log\n!keep.log\nignored/*\n!ignored/kept\n[xy]*.md\nDockerfile\n",
      "a.txt": "a\n",
      "b.txt": "b\n",
      "with blank": "w",
      "secret.txt": "s",
      "x/y.log": "l",
      "keep.log": "k",
      "x.md": "m",
      "z.md": "m",
      "ignored/not": "n",
      "ignored/kept": "k",
      "tree/sub/in": "in\n",
      "tree/file": "file\n",
      "not.tar.gz": Buffer.from("1f8b0800", "hex"),
    });
    const at = (path: string): string => join(context.path, path);
    mkdirSync(at("links"));
    mkdirSync(at("tree/empty"));
    symlinkSync("../a.txt", at("links/up"));
    symlinkSync("/etc/passwd", at("links/absolute"));
    symlinkSync("nowhere", at("links/dangling"));
    symlinkSync("sub/in", at("tree/link-in"));
    linkSync(at("a.txt"), at("links/hard"));
    linkSync(at("links/hard"), at("links/harder"));
    chmodSync(at("tree/sub/in"), 0o755);
    chmodSync(at("tree/empty"), 0o1777);
    for (const path of ["a.txt", "tree/sub", "tree", "tree/empty", "tree/file", "tree/sub/in"]) {
      utimesSync(at(path), 1_500_000_000, 1_500_000_000);
    }
    const archive = tarWith();
    context.write({
      "x.tar": archive,
      "x.tar.gz": gzip(archive),
      "x.tar.bz2": bzip2(archive),
      "x.tar.xz": xz(archive),
    });
    await same(context);
  });

  test("what steps remove, replace and change", async () => {
    using context = new ContextDirectory({
      Dockerfile: `FROM busybox
RUN mkdir -p /d/e /f && touch /d/a /d/b /d/e/x /f/y && chown 5:6 /d/b && chmod 4711 /d/b && ln /d/a /d/hard
RUN rm /d/a && rm -r /d/e && mkdir /d/e && touch /d/e/new
RUN rm -r /f && echo file > /f
RUN mv /d /moved && mknod /moved/fifo p && ln -s ../f /moved/link
RUN true
COPY a /moved/b/
COPY a /f
`.replace("COPY a /moved/b/\n", "COPY a /moved/c/\n"),
      a: "a",
    });
    await same(context);
  });

  test("a build upon what was built", async () => {
    using below = new ContextDirectory({
      Dockerfile: `FROM busybox
ENV A=1 B=2
WORKDIR /w
USER nobody
ENTRYPOINT ["e"]
CMD ["c"]
EXPOSE 1
LABEL l=1 m=1
HEALTHCHECK CMD true
ONBUILD ENV C=\${A}3
ONBUILD RUN echo $C > /tmp/c
`,
    });
    for (const docker of [daemon, peer])
      assert.equal((await dockerBuild(docker, below.path, ["-t", "below"])).code, 0);
    using above = new ContextDirectory({
      Dockerfile: `FROM below
ENV A=2 D=$A$B$C
USER root
ENTRYPOINT ["f"]
EXPOSE 2/udp
VOLUME /x
LABEL m=2
HEALTHCHECK NONE
WORKDIR rel
`,
    });
    await same(above);
    using shell = new ContextDirectory({
      Dockerfile: 'FROM below\nSHELL ["/bin/sh", "-xc"]\nCMD run it\nENTRYPOINT exec $0\n',
    });
    await same(shell);
  });

  test("failures", async () => {
    const from = "FROM busybox\n";
    for (const text of [
      "RUN exit 3",
      "RUN sh -c 'kill -9 $$'",
      "COPY missing /x",
      "COPY no*thing /x",
      "COPY ../../etc/passwd /x",
      "COPY a b /x",
      "COPY --from=0 /x /x",
      "COPY --chown=ghost a /x",
      "COPY --chown=root:ghost a /x",
      "USER ghost\nRUN true",
      "COPY a",
      "ENV a",
      "ENV =b",
      "LABEL",
      "SHELL sh",
      "ONBUILD FROM b",
      "ONBUILD ONBUILD RUN x",
      "HEALTHCHECK",
      "EXPOSE http",
      "STOPSIGNAL NONSENSE",
      "VOLUME",
      "WORKDIR",
      "USER",
      "FROM a b",
      "FROM scratch AS 1b",
      "NONSENSE x",
      "ENV x=${a:?b}",
      "ENV x='a",
      "ARG",
      "MAINTAINER",
      'WORKDIR ""',
      "WORKDIR /bin/busybox",
      "HEALTHCHECK --interval=1us CMD x",
      "CMD [1]",
      'COPY ["a", 2]',
    ])
      await sameFailure({ Dockerfile: from + text, a: "", b: "" });
    for (const text of ["", "# only", "RUN x", "FROM", "FROM $x", "from scratch\nADD x"])
      await sameFailure({ Dockerfile: text });
    await sameFailure({ Dockerfile: from }, ["-t", "UPPER"]);
    await sameFailure({ Dockerfile: `${from}RUN echo said; exit 7` }, ["-q"], true);
    await sameFailure({ Dockerfile: `${from}NONSENSE` }, ["-q"], true);
    await sameFailure({ Dockerfile: from }, ["--target", "none"], true);
    for (const text of ['RUN ["/none"]', "CMD --odd=1 x", "ENV x=${a", "HEALTHCHECK --interval=x CMD y"])
      await sameFailure({ Dockerfile: from + text }, [], true);
  });
});
