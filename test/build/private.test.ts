// Sources that ask who one is: web servers and repositories over HTTP and ssh.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createListener } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";
import { ContextDirectory } from "./support.ts";

let daemon: TestDaemon;
let root: ContextDirectory;
const at = (path: string): string => join(root.path, path);
before(async () => {
  root = new ContextDirectory({ "home/.ssh/known_hosts": "" });
  // The daemon's own: it tells which hosts are known.
  process.env.HOME = at("home");
  daemon = await TestDaemon.start("build-private");
  git(root.path, "init", "-q", "-b", "main", "repo");
  writeFileSync(at("repo/file"), "from the repository");
  writeFileSync(at("repo/Dockerfile"), "FROM busybox\nCOPY file /file\n");
  git(at("repo"), "add", ".");
  git(at("repo"), "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "c");
  git(at("repo"), "update-server-info");
});
after(async () => {
  await daemon.end();
  root[Symbol.dispose]();
});

const git = (cwd: string, ...args: string[]): string =>
  execFileSync("git", args, { cwd, encoding: "utf8" }).trim();
const inImage = (command: string): Promise<string> =>
  daemon.ok(["run", "--rm", "private", "sh", "-c", command]);
const build = (Dockerfile: string, args: string[], env: Record<string, string> = {}) =>
  daemon.berth(["build", "-t", "private", ...args, "-"], { input: Dockerfile, env });

const leftNothing = (): Promise<void> =>
  until("nothing half-made is left", () => readdirSync(join(daemon.dataRoot, "tmp")).length === 0);

/** A web server for whoever has the right header; `/away` leads to another. */
async function serve(wanted: string, away: string, asked: string[]): Promise<Server> {
  const server = createServer(({ url = "", headers }, response) => {
    asked.push(`${url} ${headers.authorization ?? "-"}`);
    if (headers.authorization !== wanted && wanted !== "")
      return response.writeHead(401, { "WWW-Authenticate": "Basic" }).end();
    if (url === "/away") return response.writeHead(302, { Location: `${away}/other` }).end();
    const file = at(url.replace(/\?.*/, "").replace(/^\/repo\.git/, "repo/.git"));
    if (url === "/other" || url === "/text") return response.end("from the web");
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.end(readFileSync(file));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

test("secrets say to a web server who asks, and to no other", async () => {
  const asked: string[] = [];
  const elsewhere: string[] = [];
  const other = await serve("", "", elsewhere);
  const server = await serve("Bearer s3cret", `http://127.0.0.1:${portOf(other)}`, asked);
  const host = `127.0.0.1:${portOf(server)}`;
  const Dockerfile = `FROM busybox\nADD http://${host}/text /text\nADD http://${host}/away /away\n`;
  const secret = (name: string): string[] => ["--secret", `id=${name}_${host},env=GIVEN`];
  try {
    const without = await build(Dockerfile, []);
    assert.match(without.stderr, /failed to GET .*\/text with status 401/);
    const token = await build(Dockerfile, secret("HTTP_AUTH_TOKEN"), { GIVEN: "s3cret" });
    assert.equal(token.code, 0, token.stderr);
    assert.equal(await inImage("cat /text /away"), "from the webfrom the web");
    assert.deepEqual(elsewhere, ["/other -"]);
    const header = await build(Dockerfile, ["--no-cache", ...secret("HTTP_AUTH_HEADER")], {
      GIVEN: "Bearer s3cret",
    });
    assert.equal(header.code, 0, header.stderr);
    const found = execFileSync("sh", ["-c", `grep -rlF -- s3cret ${daemon.dataRoot} || true`]).toString();
    assert.equal(found, "");
  } finally {
    for (const one of [server, other]) one.close();
  }
  await leftNothing();
});

test("secrets say to a repository's server who asks, for ADD and for the context", async () => {
  const asked: string[] = [];
  const server = await serve(`Basic ${Buffer.from("x-access-token:s3cret").toString("base64")}`, "", asked);
  const host = `127.0.0.1:${portOf(server)}`;
  const url = `http://${host}/repo.git`;
  try {
    const without = await build(`FROM busybox\nADD ${url} /in/`, []);
    assert.match(without.stderr, /git ls-remote failed/);
    for (const id of ["GIT_AUTH_TOKEN", "GIT_AUTH_TOKEN.127.0.0.1", `GIT_AUTH_TOKEN.${host}`]) {
      const secret = ["--no-cache", "--secret", `id=${id},env=GIVEN`];
      const added = await build(`FROM busybox\nADD ${url} /in/`, secret, { GIVEN: "s3cret" });
      assert.equal(added.code, 0, added.stderr);
      assert.equal(await inImage("cat /in/file"), "from the repository");
      const context = await daemon.berth(["build", "-t", "private", ...secret, url], {
        env: { GIVEN: "s3cret" },
      });
      assert.equal(context.code, 0, context.stderr);
      assert.equal(await inImage("cat /file"), "from the repository");
    }
    const other = await build(
      `FROM busybox\nADD ${url} /in/`,
      ["--no-cache", "--secret", "id=GIT_AUTH_TOKEN.example.com,env=GIVEN"],
      { GIVEN: "s3cret" },
    );
    assert.match(other.stderr, /git ls-remote failed/);
    // As many letters of the commit as one likes.
    const commit = git(at("repo"), "rev-parse", "HEAD");
    const secret = ["--secret", "id=GIT_AUTH_TOKEN,env=GIVEN"];
    for (const [checksum, message] of [
      [commit.slice(0, 3), /built/],
      [commit, /built/],
      ["0000", /expected checksum to match 0000/],
      ["sha256:00", /invalid commit/],
    ] as const) {
      const text = `FROM busybox\nADD --checksum=${checksum} ${url} /in/`;
      assert.match((await build(text, secret, { GIVEN: "s3cret" })).stderr, message);
    }
  } finally {
    server.close();
  }
  await leftNothing();
});

/** An ssh server of this test's own, which lets in who has one of the keys. */
class SshServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  static async start(): Promise<SshServer> {
    const listener = createListener();
    await new Promise<void>((done) => listener.listen(0, "127.0.0.1", done));
    const port = portOf(listener);
    await new Promise((done) => listener.close(done));
    for (const name of ["host", "mine", "others"])
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)]);
    // It changes into that for what it does without rights.
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    const options = [
      `HostKey ${at("host")}`,
      `AuthorizedKeysFile ${at("mine.pub")}`,
      ...["PidFile none", "StrictModes no", "UsePAM no", "ListenAddress 127.0.0.1", "PermitRootLogin yes"],
      ...["PasswordAuthentication no", "KbdInteractiveAuthentication no"],
    ];
    writeFileSync(at("sshd_config"), `${options.join("\n")}\n`);
    const child = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", at("sshd_config"), "-p", String(port)], {
      stdio: "ignore",
    });
    await until("sshd listens", () => {
      const socket = connect(port, "127.0.0.1");
      return new Promise<boolean>((done) => {
        socket.on("connect", () => done(true));
        socket.on("error", () => done(false));
      }).finally(() => socket.destroy());
    });
    return new SshServer(port, child);
  }

  async end(): Promise<void> {
    const ended = new Promise((done) => this.#child.once("exit", done));
    this.#child.kill();
    await ended;
  }
}

test("a repository over ssh, with the client's agent", async () => {
  const server = await SshServer.start();
  const user = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
  const url = `ssh://${user}@127.0.0.1:${server.port}${at("repo")}`;
  try {
    const Dockerfile = `FROM busybox\nADD ${url} /in/\n`;
    const added = await build(Dockerfile, ["--ssh", `default=${at("mine")}`]);
    assert.equal(added.code, 0, added.stderr);
    assert.equal(await inImage("cat /in/file"), "from the repository");
    const cached = await build(Dockerfile, ["--ssh", `default=${at("mine")}`]);
    assert.match(cached.stderr, /cached/);
    const context = await daemon.berth(["build", "-t", "private", "--ssh", `default=${at("mine")}`, url]);
    assert.equal(context.code, 0, context.stderr);
    assert.equal(await inImage("cat /file"), "from the repository");
    const named = ["--build-context", `src=${url}`, "--ssh", `default=${at("mine")}`];
    const built = await build("FROM busybox\nCOPY --from=src file /named\n", named);
    assert.equal(built.code, 0, built.stderr);
    assert.equal(await inImage("cat /named"), "from the repository");
    for (const args of [[], ["--ssh", `default=${at("others")}`]]) {
      const refused = await build(Dockerfile, ["--no-cache", ...args]);
      assert.match(refused.stderr, /Permission denied \(publickey\)/);
    }
    // A host that is known has to be the one that it was.
    const knows = (key: string): void =>
      root.write({ "home/.ssh/known_hosts": `[127.0.0.1]:${server.port} ${readFileSync(at(key), "utf8")}` });
    knows("others.pub");
    const other = await build(Dockerfile, ["--no-cache", "--ssh", `default=${at("mine")}`]);
    assert.match(other.stderr, /Host key verification failed/);
    knows("host.pub");
    const same = await build(Dockerfile, ["--no-cache", "--ssh", `default=${at("mine")}`]);
    assert.equal(same.code, 0, same.stderr);
  } finally {
    await server.end();
  }
  await leftNothing();
});
