// Dockerfiles of the shapes that people write: built by docker and by berth, run, and compared with what
// dockerd makes of them where it is installed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { noDockerd, Peer } from "../support/dockerd.ts";
import { busyboxImage, dockerArchive, tarOf } from "../support/images.ts";
import { xz } from "./archives.ts";
import { compilerRoot, programFiles } from "./programs.ts";
import { configOf, filesOf } from "./same-image.ts";
import { ContextDirectory, dockerBuild } from "./support.ts";

const nodeProgram = resolve(import.meta.dirname, "../../node_modules/node/bin/node");

describe("shapes", () => {
  let daemon: TestDaemon;
  const peer = noDockerd === false ? new Peer("shapes") : undefined;
  if (!peer) console.log(`not compared with dockerd: ${noDockerd}`);
  before(async () => {
    [daemon] = await Promise.all([TestDaemon.start("build-shapes"), peer?.up()]);
    await peer?.ok(["load"], { input: dockerArchive([busyboxImage()]) });
  });
  after(async () => {
    await daemon.end();
    assert.deepEqual(daemon.leftovers(), []);
    await peer?.down();
  });

  /** Makes an image of files of this machine in each daemon. */
  async function base(name: string, archive: string, ...changes: string[]): Promise<void> {
    const args = ["import", ...changes.flatMap((change) => ["-c", change]), archive, name];
    await Promise.all([daemon.ok(args), peer?.ok(args)]);
  }

  async function buildAll(context: ContextDirectory, tag: string, ...more: string[]): Promise<void> {
    const args = ["-t", tag, "--network", "none", ...more];
    const ours = await dockerBuild(daemon, context.path, args, { timeout: 120_000 });
    assert.equal(ours.code, 0, ours.stderr + ours.stdout);
    const own = await daemon.berth(
      ["build", "--no-cache", "-t", `${tag}-own`, "--network", "none", ...more, context.path],
      {
        timeout: 120_000,
      },
    );
    assert.equal(own.code, 0, own.stderr);
    if (!peer) return;
    const theirs = await dockerBuild(peer, context.path, args, { timeout: 120_000 });
    assert.equal(theirs.code, 0, theirs.stderr + theirs.stdout);
    const [files, config] = [await filesOf(peer, tag), await configOf(peer, tag)];
    for (const image of [tag, `${tag}-own`]) {
      const made = await filesOf(daemon, image);
      const missing = files.filter((line) => !made.includes(line));
      assert.deepEqual(
        { more: made.filter((line) => !files.includes(line)), missing },
        { more: [], missing: [] },
      );
      assert.deepEqual(await configOf(daemon, image), config);
    }
  }

  test("a Node service of two stages", async () => {
    using root = new ContextDirectory(programFiles(nodeProgram));
    mkdirSync(join(root.path, "usr/local/bin"), { recursive: true });
    copyFileSync(nodeProgram, join(root.path, "usr/local/bin/node"));
    const archive = join(daemon.directory, "node.tar");
    execFileSync("tar", [
      "-cf",
      archive,
      "--mode=a+rx",
      "--owner=0",
      "--group=0",
      "-C",
      root.path,
      "lib",
      "lib64",
      "usr",
    ]);
    execFileSync("tar", ["-rf", archive, "--transform=s,^,bin/,", "-C", "/bin", "busybox"]);
    await base("node:local", archive, "ENV NODE_VERSION=26", 'CMD ["node"]');
    using context = new ContextDirectory({
      Dockerfile: `# syntax=docker/dockerfile:1
ARG NODE=node:local
FROM $NODE AS build
SHELL ["/bin/busybox", "sh", "-c"]
WORKDIR /app
COPY package.json package-lock.json* ./
RUN busybox mkdir -p node_modules/greet && echo 'exports.greet = (who) => "hello " + who' > node_modules/greet/index.js
COPY . .
RUN node build.js

FROM $NODE
ENV NODE_ENV=production PORT=3000
WORKDIR /app
COPY --from=build --chown=1000:1000 /app/dist ./dist
COPY --from=build /app/node_modules ./node_modules
COPY package.json .
USER 1000
EXPOSE $PORT
HEALTHCHECK --interval=30s CMD ["node", "-e", "process.exit(0)"]
STOPSIGNAL SIGTERM
LABEL org.opencontainers.image.title="service"
ENTRYPOINT ["node"]
CMD ["dist/server.js"]
`,
      ".dockerignore": "node_modules\n.git\n*.log\n",
      "package.json": '{"name":"service"}\n',
      "npm-debug.log": "not this",
      "build.js": `const fs = require("node:fs"); fs.mkdirSync("dist"); fs.copyFileSync("src/server.js", "dist/server.js");`,
      "src/server.js": `const { greet } = require("greet");
require("node:http").createServer((q, r) => r.end(greet(process.env.NODE_ENV) + " " + process.getuid()))
  .listen(3000, () => fetch("http://127.0.0.1:3000").then((r) => r.text()).then((t) => { console.log(t); process.exit(0); }));
`,
    });
    await buildAll(context, "service");
    for (const image of ["service", "service-own"])
      assert.equal(await daemon.ok(["run", "--rm", "--network", "none", image]), "hello production 1000");
  });

  test("a C program to scratch", async () => {
    const archive = join(daemon.directory, "gcc.tar");
    compilerRoot(archive);
    execFileSync("tar", ["-rf", archive, "--transform=s,^busybox,bin/sh,", "-C", "/bin", "busybox"]);
    await base("gcc:local", archive);
    using context = new ContextDirectory({
      Dockerfile: `FROM gcc:local AS build
WORKDIR /src
COPY *.c *.h ./
ARG CFLAGS="-O2 -static"
RUN gcc $CFLAGS -Wl,--build-id=none -o /hello hello.c && chmod 555 /hello
FROM scratch
COPY --from=build /hello /hello
USER 65534:65534
ENTRYPOINT ["/hello"]
CMD ["world"]
`,
      "hello.c":
        '#include <stdio.h>\n#include "word.h"\nint main(int c, char **v) { (void)c; printf(WORD " %s\\n", v[1]); }\n',
      "word.h": '#define WORD "hello"\n',
    });
    await buildAll(context, "c");
    for (const image of ["c", "c-own"]) {
      assert.equal(await daemon.ok(["run", "--rm", image]), "hello world");
      assert.equal(await daemon.ok(["run", "--rm", image, "you"]), "hello you");
    }
  });

  test("a heavy COPY", async () => {
    using context = new ContextDirectory({
      Dockerfile:
        "FROM busybox\nWORKDIR /all\nCOPY . .\nRUN find . -type f | wc -l > /count\nCOPY --chown=7:8 d1 /some\n",
      ".dockerignore": "**/skip-*\n",
    });
    for (let directory = 0; directory < 20; directory++) {
      const path = join(context.path, `d${directory}`, "deep", "er");
      mkdirSync(path, { recursive: true });
      for (let file = 0; file < 100; file++)
        writeFileSync(join(path, `f${file}`), `${directory} ${file}\n`.repeat(20));
      writeFileSync(join(path, "skip-this"), "x");
      writeFileSync(join(path, "large"), Buffer.alloc(400_000, directory));
      chmodSync(join(path, "f0"), 0o755);
    }
    await buildAll(context, "heavy");
    assert.equal(await daemon.ok(["run", "--rm", "heavy", "cat", "/count"]), "2022");
  });

  test("a site over a base that has triggers", async () => {
    using below = new ContextDirectory({
      Dockerfile: `FROM busybox
RUN echo web:x:1001:1001::/srv:/bin/sh >> /etc/passwd && echo web:x:1001: >> /etc/group && mkdir -p /srv/cgi-bin && chown -R web:web /srv
WORKDIR /srv
COPY --chown=web:web httpd.conf /etc/
VOLUME /srv/data
EXPOSE 8080
STOPSIGNAL SIGTERM
ONBUILD ARG TITLE=untitled
ONBUILD COPY --chown=web site/ /srv/
ONBUILD RUN sed -i "s/@TITLE@/$TITLE/" /srv/index.html && find /srv -type f | sort > /list
ONBUILD USER web
ENTRYPOINT ["httpd", "-f"]
CMD ["-p", "8080", "-h", "/srv"]
`,
      "httpd.conf": "I:index.html\n",
    });
    await buildAll(below, "site-base");
    using site = new ContextDirectory({
      Dockerfile: `FROM site-base
LABEL org.opencontainers.image.source="https://example.com/site" \\
      version="1"
ENV PAGES="one two"
RUN for page in $PAGES; do echo "<p>$page" > /srv/$page.html; done
COPY robots.txt ./
`,
      ".dockerignore": "**/*.tmp\n!site/keep.tmp\n**/.cache\n",
      "site/index.html": "<title>@TITLE@</title>\n",
      "site/img/logo.svg": "<svg/>\n",
      "site/img/.cache/x": "x",
      "site/not.tmp": "x",
      "site/keep.tmp": "kept\n",
      "robots.txt": "User-agent: *\n",
    });
    await buildAll(site, "site", "--build-arg", "TITLE=mine");
    const served =
      "httpd -p 8080 -h /srv && wget -qO- http://127.0.0.1:8080/ && wget -qO- http://127.0.0.1:8080/two.html && id -un";
    for (const image of ["site", "site-own"]) {
      const said = await daemon.ok([
        ...["run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", served],
      ]);
      assert.equal(said, "<title>mine</title>\n<p>two\nweb");
    }
  });

  test("a system from an archive, with links, rights and device files", async () => {
    const busybox = readFileSync("/bin/busybox");
    const applets = ["sh", "ls", "cat", "stat", "id"].map((name) => ({
      name: `bin/${name}`,
      type: "link" as const,
      linkname: "bin/busybox",
      mode: 0o755,
    }));
    const archive = tarOf([
      { name: "./", type: "directory", mode: 0o755 },
      { name: "bin/", type: "directory", mode: 0o755 },
      { name: "bin/busybox", data: busybox, mode: 0o755 },
      ...applets,
      { name: "usr/bin/su", data: busybox, mode: 0o4755 },
      { name: "sbin", type: "symlink", linkname: "bin" },
      { name: "etc/passwd", data: "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n" },
      { name: "etc/group", data: "root:x:0:\nuser:x:1000:\n" },
      { name: "tmp/", type: "directory", mode: 0o1777 },
      { name: "var/spool/mine", data: "x", uid: 1000, gid: 1000, mode: 0o600 },
      { name: "run/fifo", type: "fifo", mode: 0o620 },
    ]);
    using context = new ContextDirectory({
      Dockerfile: `FROM scratch AS system
ADD root.tar.xz /
ENV PATH=/usr/bin:/bin
RUN ["/bin/sh", "-c", "echo made > /etc/made; ls -l /bin/ | grep -c busybox > /etc/count"]
FROM system
SHELL ["/bin/sh", "-ec"]
RUN cat /etc/made && id -u user > /etc/uid
COPY --from=system --chown=user /etc/made /etc/count /home/
USER user
CMD stat -c %a /usr/bin/su
`,
      "root.tar.xz": xz(archive),
    });
    await buildAll(context, "system");
    for (const image of ["system", "system-own"])
      assert.equal(await daemon.ok(["run", "--rm", "--network", "none", image]), "4755");
  });

  test("every type of mount", async () => {
    using context = new ContextDirectory({
      Dockerfile: `# syntax=docker/dockerfile:1
FROM busybox AS tools
RUN mkdir /tools && printf '#!/bin/sh\\necho tool\\n' > /tools/tool && chmod +x /tools/tool
FROM busybox
RUN --mount=type=bind,target=/src cat /src/input > /from-bind
RUN --mount=type=bind,from=tools,source=/tools,target=/opt/tools /opt/tools/tool > /from-stage
RUN --mount=type=cache,id=count,target=/var/cache/x echo x >> /var/cache/x/n && wc -l < /var/cache/x/n > /from-cache
RUN --mount=type=tmpfs,target=/scratch touch /scratch/x && stat -f -c %T /scratch > /from-tmpfs
RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /from-secret
RUN --mount=type=secret,id=token,env=TOKEN echo \${#TOKEN} > /from-env
RUN --mount=type=ssh test -z "$SSH_AUTH_SOCK" && echo none > /from-ssh
`,
      input: "input\n",
    });
    const run = () =>
      daemon.berth(
        ["build", "--no-cache", "-t", "mounts", "--secret", "id=token,env=SECRET_TOKEN", context.path],
        {
          env: { SECRET_TOKEN: "12345678" },
        },
      );
    const built = await run();
    assert.equal(built.code, 0, built.stderr);
    const again = await run();
    assert.equal(again.code, 0, again.stderr);
    const seen = await daemon.ok(["run", "--rm", "mounts", "sh", "-c", "cat /from-*; ls / | tr '\\n' ' '"]);
    const [names, ...said] = seen.split("\n").reverse();
    assert.deepEqual(said.reverse(), ["input", "2", "8", "8", "none", "tool", "tmpfs"]);
    assert.doesNotMatch(names ?? "", /src|opt|scratch|run/);
  });
});
