import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { TestDaemon, until } from "../support/daemon.ts";
import { tarOf } from "../support/images.ts";
import { ContextDirectory, dockerBuild, failedBuild, mustBuild, post } from "./support.ts";

let daemon: TestDaemon;
let web: WebServer;
let repositories: Repositories;
before(async () => {
  daemon = await TestDaemon.start("build-remote");
  web = await WebServer.start();
  repositories = await Repositories.start(join(daemon.directory, "git"));
});
after(async () => {
  await daemon.end();
  web.end();
  await repositories.end();
});

const inImage = (image: string, command: string): Promise<string> =>
  daemon.ok(["run", "--rm", image, "sh", "-c", command]);

/** Files over HTTP, and what was asked for. */
class WebServer {
  readonly files = new Map<string, { data: Buffer; headers?: Record<string, string> }>();
  readonly asked: string[] = [];
  #server: Server = createServer((request, response) => this.#answer(request, response));

  static async start(): Promise<WebServer> {
    const server = new WebServer();
    await new Promise<void>((done) => server.#server.listen(0, "127.0.0.1", done));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer({ url = "", headers }: IncomingMessage, response: ServerResponse): void {
    const path = url.replace(/\?.*/, "");
    const file = this.files.get(path) ?? repositories.file(path);
    const tag = file?.headers?.ETag;
    const status = !file ? 404 : tag !== undefined && headers["if-none-match"] === tag ? 304 : 200;
    this.asked.push(`${status} ${path}`);
    if (path === "/moved") response.writeHead(302, { Location: "/file.txt" }).end();
    else response.writeHead(status, file?.headers).end(status === 200 ? file?.data : undefined);
  }

  end(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Repositories that `git daemon` serves. */
class Repositories {
  readonly directory: string;
  readonly #port: number;
  readonly #child: ChildProcess;

  private constructor(directory: string, port: number, child: ChildProcess) {
    this.directory = directory;
    this.#port = port;
    this.#child = child;
  }

  static async start(directory: string): Promise<Repositories> {
    mkdirSync(directory, { recursive: true });
    // Below those that the kernel gives away, beside those that other tests publish.
    const port = 29_000 + (process.pid % 3_000);
    const child = spawn(
      "git",
      [
        ...["daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", `--port=${port}`],
        ...["--enable=upload-archive", `--base-path=${directory}`, directory],
      ],
      { stdio: "ignore", detached: true },
    );
    await until("git daemon listens", () => listens(port));
    return new Repositories(directory, port, child);
  }

  /** A repository with commits; returns its digests. */
  make(name: string, commits: Record<string, string | Buffer>[]): string[] {
    const path = join(this.directory, name);
    mkdirSync(path);
    this.git(path, "init", "-q", "-b", "main");
    this.git(path, "config", "uploadpack.allowAnySHA1InWant", "true");
    return commits.map((files) => {
      for (const [file, data] of Object.entries(files)) {
        mkdirSync(join(path, file, ".."), { recursive: true });
        writeFileSync(join(path, file), data);
      }
      this.git(path, "add", "-A");
      this.git(path, "commit", "-q", "--allow-empty", "-m", "c");
      return this.git(path, "rev-parse", "HEAD");
    });
  }

  git(path: string, ...args: string[]): string {
    const who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always"];
    return execFileSync("git", [...who, ...args], { cwd: path, encoding: "utf8", stdio: "pipe" }).trim();
  }

  /** For servers that know nothing of git. */
  file(path: string): { data: Buffer; headers?: Record<string, string> } | undefined {
    const file = join(this.directory, path.replace(/^\/([^/]+)\.git/, "$1/.git"));
    return existsSync(file) && statSync(file).isFile() ? { data: readFileSync(file) } : undefined;
  }

  url(name: string): string {
    return `git://127.0.0.1:${this.#port}/${name}`;
  }

  async end(): Promise<void> {
    const ended = new Promise((done) => this.#child.once("exit", done));
    // It has a process of its own below it.
    if (this.#child.pid !== undefined) process.kill(-this.#child.pid);
    await ended;
  }
}

const listens = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      done(true);
    });
    socket.on("error", () => done(false));
  });

const leftNothing = (): Promise<void> =>
  until("nothing half-made is left", () => readdirSync(join(daemon.dataRoot, "tmp")).length === 0);

test("ADD of a file: name, mode, time, archives, digest", async () => {
  const archive = gzipSync(tarOf([{ name: "in", data: "in" }]));
  web.files.set("/file.txt", {
    data: Buffer.from("text"),
    headers: { "Last-Modified": "Tue, 02 Jan 2018 03:04:05 GMT" },
  });
  // A server may say how it is compressed; it is to stay so.
  web.files.set("/a.tar.gz", { data: archive, headers: { "Content-Encoding": "gzip" } });
  const digest = "sha256:982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1";
  const Dockerfile = `FROM busybox
ARG FROM=${web.url}
ADD $FROM/file.txt /named
ADD --chmod=644 --chown=5:6 $FROM/file.txt $FROM/moved /dir/
ADD $FROM/a.tar.gz /packed/
ADD --unpack=true $FROM/a.tar.gz /unpacked/
ADD --checksum=${digest} $FROM/file.txt /checked
`;
  await mustBuild(daemon, { Dockerfile }, ["-t", "added"]);
  assert.equal(
    await inImage(
      "added",
      "stat -c '%a %u:%g %Y %n' /named /dir/* /packed/a.tar.gz; cat /named /dir/moved /unpacked/in /checked",
    ),
    `600 0:0 1514862245 /named
644 5:6 1514862245 /dir/file.txt
644 5:6 1514862245 /dir/moved
600 0:0 0 /packed/a.tar.gz
texttextintext`,
  );
  const cases: [string, RegExp][] = [
    [`ADD ${web.url}/none /x`, /failed to GET .*\/none with status 404/],
    [`ADD ${web.url}/ /x/`, /cannot determine filename from url/],
    [
      `ADD --checksum=sha256:${"0".repeat(64)} ${web.url}/file.txt /x`,
      /digest mismatch for .*: expected sha256:0{64}, got sha256:982d/,
    ],
    [`ADD --checksum=md5:00 ${web.url}/file.txt /x`, /unsupported checksum/],
    ["ADD --checksum=sha256:00 Dockerfile /x", /checksum can't be specified for non-HTTP\(S\) sources/],
    ["ADD http://127.0.0.1:1/file /x", /connection refused/],
    ["ADD --keep-git-dir Dockerfile /x", /keep-git-dir can only be specified for git sources/],
  ];
  for (const [text, message] of cases) {
    assert.match((await failedBuild(daemon, { Dockerfile: `FROM busybox\n${text}` })).stderr, message);
  }
  await leftNothing();
});

test("a file is fetched again only when it has changed", async () => {
  const put = (data: string, ETag: string) =>
    web.files.set("/kept", { data: Buffer.from(data), headers: { ETag } });
  const Dockerfile = `FROM busybox\nADD ${web.url}/kept /kept\nRUN cat /kept > /copy`;
  const build = async (...args: string[]): Promise<[cached: number, asked: string[]]> => {
    web.asked.length = 0;
    const output = await mustBuild(daemon, { Dockerfile }, ["-t", "kept", ...args]);
    return [output.match(/Using cache/g)?.length ?? 0, [...web.asked]];
  };
  put("one", '"1"');
  assert.deepEqual(await build(), [0, ["200 /kept"]]);
  assert.deepEqual(await build(), [2, ["304 /kept"]]);
  // The layer is not there any more: it has to be fetched after all.
  assert.deepEqual(await build("--no-cache"), [0, ["304 /kept", "200 /kept"]]);
  put("two", '"2"');
  assert.deepEqual(await build(), [0, ["200 /kept"]]);
  assert.equal(await inImage("kept", "cat /copy"), "two");
});

test("ADD of a repository: references, directories, .git, submodules", async () => {
  repositories.make("module", [{ "in-module": "m" }]);
  const [first = "", second = ""] = repositories.make("repo", [
    { file: "first", "sub/deep": "deep" },
    { file: "second" },
  ]);
  const path = join(repositories.directory, "repo");
  repositories.git(path, "tag", "-a", "-m", "t", "v1", first);
  repositories.git(path, "branch", "other", first);
  const url = repositories.url("repo");
  const Dockerfile = `FROM busybox
ADD ${url} /main/
ADD ${url}#v1 /tag/
ADD ${url}#other:sub /sub/
ADD ${url}#${first} /commit
ADD ${url}?branch=other&subdir=sub /query/
ADD --keep-git-dir=true ${url} /git/
ADD --keep-git-dir=true --checksum=${second.slice(0, 12)} ${url}#main /checked/
`;
  await mustBuild(daemon, { Dockerfile }, ["-t", "repositories"]);
  assert.equal(
    await inImage(
      "repositories",
      "for f in main tag commit; do cat /$f/file; echo; done; ls /sub /query; ls -d /*/.git",
    ),
    "second\nfirst\nfirst\n/query:\ndeep\n\n/sub:\ndeep\n/checked/.git\n/git/.git",
  );
  repositories.git(path, "submodule", "--quiet", "add", repositories.url("module"), "module");
  repositories.git(path, "commit", "-q", "-m", "module");
  const withModule = Dockerfile.replace(/ADD .*checksum.*\n/, "");
  const again = await mustBuild(daemon, { Dockerfile: withModule }, ["-t", "repositories"]);
  assert.doesNotMatch(again.split("Step 3/")[0] ?? "", /Using cache/);
  assert.equal(
    await inImage("repositories", "ls -A /main /main/module"),
    "/main:\n.gitmodules\nfile\nmodule\nsub\n\n/main/module:\nin-module",
  );
  const cases: [string, RegExp][] = [
    [`${url}#nothing`, /repository does not contain ref nothing/],
    [`${url}#main:none`, /has no directory "none"/],
    [`${url}#main:../..`, /leads out of it/],
    [`${url}#--upload-pack=x`, /invalid git reference/],
    [`--checksum=${first} ${url}#main`, /expected checksum to match/],
    [repositories.url("missing"), /git ls-remote failed/],
  ];
  for (const [source, message] of cases) {
    assert.match(
      (await failedBuild(daemon, { Dockerfile: `FROM busybox\nADD ${source} /x/` })).stderr,
      message,
    );
  }
  await leftNothing();
});

test("what a repository brings along does not run, and leads nowhere", async () => {
  const mark = join(daemon.directory, "escaped");
  repositories.make("hostile", [
    {
      ".gitattributes": "* filter=run diff=run\n",
      ".gitmodules": `[submodule "a"]\n\tpath = a\n\turl = ext::sh -c "touch ${mark}"\n[submodule "b"]\n\tpath = b\n\turl = file://${repositories.directory}/repo\n`,
      file: "x",
    },
  ]);
  const path = join(repositories.directory, "hostile");
  const commit = repositories.git(path, "rev-parse", "HEAD");
  for (const name of ["a", "b"])
    repositories.git(path, "update-index", "--add", "--cacheinfo", `160000,${commit},${name}`);
  symlinkSync("/etc", join(path, "etc"));
  repositories.git(path, "add", "etc");
  repositories.git(path, "commit", "-q", "-m", "modules");
  const url = repositories.url("hostile");
  const failed = await failedBuild(daemon, { Dockerfile: `FROM busybox\nADD ${url} /x/` });
  assert.match(failed.stderr, /transport 'ext' not allowed|transport 'file' not allowed/);
  assert.equal(existsSync(mark), false);
  const plain = await mustBuild(daemon, { Dockerfile: `FROM busybox\nADD ${url}?submodules=false /x/` }, [
    "-t",
    "hostile",
  ]);
  assert.match(plain, /Successfully built/);
  assert.equal(await inImage("hostile", "readlink /x/etc"), "/etc");
  const through = await failedBuild(daemon, {
    Dockerfile: `FROM busybox\nADD ${url}?submodules=false&subdir=etc /x/`,
  });
  assert.match(through.stderr, /has no directory "etc"/);
  for (const scheme of [`ext::sh -c 'touch ${mark}'`, `file://${path}`])
    await failedBuild(daemon, { Dockerfile: `FROM busybox\nADD ["${scheme}", "/x/"]` });
  assert.equal(existsSync(mark), false);
});

test("a server that knows nothing of git", async () => {
  const [first = ""] = repositories.make("dumb", [{ file: "one" }, { file: "two" }]);
  repositories.git(join(repositories.directory, "dumb"), "update-server-info");
  const Dockerfile = `FROM busybox\nADD ${web.url}/dumb.git /main/\nADD ${web.url}/dumb.git#${first} /first/`;
  await mustBuild(daemon, { Dockerfile }, ["-t", "dumb"]);
  assert.equal(await inImage("dumb", "cat /main/file /first/file"), "twoone");
});

test("contexts elsewhere: repositories, archives, a Dockerfile alone", async () => {
  const Dockerfile = "FROM busybox\nCOPY . /all/\n";
  repositories.make("context", [
    { Dockerfile, "sub/Dockerfile": Dockerfile, "sub/x": "1", ".dockerignore": "ignored", ignored: "" },
  ]);
  const url = repositories.url("context");
  // docker fetches it itself and sends it.
  const whole = await dockerBuild(daemon, `${url}#main`, ["-t", "remote"]);
  assert.equal(whole.code, 0, whole.stderr);
  assert.equal(
    await inImage("remote", "ls /all /all/sub"),
    "/all:\nDockerfile\nsub\n\n/all/sub:\nDockerfile\nx",
  );
  const members = [
    { name: "Dockerfile", data: Dockerfile },
    { name: "x", data: "1" },
  ];
  web.files.set("/context.tar.gz", { data: gzipSync(tarOf(members)) });
  web.files.set("/Dockerfile", {
    data: Buffer.from("FROM busybox\nRUN echo alone > /alone"),
    headers: { "Content-Type": "text/plain" },
  });
  const cases: [string, string, string][] = [
    [url, "ls -A /all", ".dockerignore\nDockerfile\nsub"],
    [`${url}#main:sub`, "ls /all", "Dockerfile\nx"],
    [`${web.url}/context.tar.gz`, "ls /all", "Dockerfile\nx"],
    [`${web.url}/Dockerfile`, "cat /alone", "alone"],
  ];
  for (const [address, command, expected] of cases) {
    // The API itself, as clients other than docker's use it.
    const said = await post(daemon, `/build?t=remote-api&remote=${encodeURIComponent(address)}`);
    assert.match(said, /Successfully tagged remote-api/);
    assert.equal(await inImage("remote-api", command), expected);
    const own = await daemon.berth(["build", "-t", "remote-own", address]);
    assert.equal(own.code, 0, own.stderr);
    assert.equal(await inImage("remote-own", command), expected);
  }
  assert.match(await post(daemon, `/build?remote=${encodeURIComponent(`${web.url}/none`)}`), /status 404/);
  assert.match(await post(daemon, "/build?remote=odd"), /neither a repository nor an URL/);
  await leftNothing();
});

test("contexts with names: directories, images, repositories, in place of stages and images", async () => {
  using main = new ContextDirectory({
    Dockerfile: `FROM replaced AS base
FROM stage-name AS target
FROM base
COPY --from=dir . /dir/
COPY --from=repo /file /repo
RUN --mount=from=dir,target=/mnt cat /mnt/sub/a > /mounted
COPY --from=files-stage /sub/a /files-stage
COPY own /own
FROM nothing-of-it AS files-stage
RUN false
`,
    own: "own",
  });
  using other = new ContextDirectory({ "sub/a": "a", ignored: "", ".dockerignore": "ignored" });
  const args = [
    ...["--build-context", `dir=${other.path}`, "--build-context", `files-stage=${other.path}`],
    ...[
      "--build-context",
      "replaced=docker-image://busybox:latest",
      "--build-context",
      `repo=${repositories.url("repo")}`,
    ],
  ];
  const built = await daemon.berth(["build", "-t", "named", ...args, "--target", "2", main.path]);
  assert.equal(built.code, 0, built.stderr);
  assert.equal(
    await inImage("named", "ls -A /dir; cat /repo /mounted /files-stage /own"),
    ".dockerignore\nsub\nsecondaaown",
  );
  using fromFiles = new ContextDirectory({ Dockerfile: "FROM rootfs\nCOPY own /own", own: "x" });
  using rootfs = new ContextDirectory({ "etc/made": "1" });
  const files = await daemon.berth([
    "build",
    "-t",
    "from-files",
    "--build-context",
    `rootfs=${rootfs.path}`,
    fromFiles.path,
  ]);
  assert.equal(files.code, 0, files.stderr);
  const id = await daemon.ok(["create", "from-files", "x"]);
  assert.equal((await daemon.docker(["cp", `${id}:/etc/made`, "-"])).code, 0);
  await daemon.ok(["rm", id]);
  await leftNothing();
});
