import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon, until } from "../support/daemon.ts";
import { programFiles } from "./programs.ts";
import { ContextDirectory, failedBuild, mustBuild } from "./support.ts";

let daemon: TestDaemon;
let agent: ChildProcess;
let socket: string;
let keys: ContextDirectory;
before(async () => {
  daemon = await TestDaemon.start("build-ssh");
  keys = new ContextDirectory();
  socket = join(keys.path, "agent.sock");
  agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  await until("the agent listens", () => existsSync(socket));
  for (const name of ["first", "second"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", join(keys.path, name)]);
  execFileSync("ssh-add", ["-q", join(keys.path, "first")], {
    env: { ...process.env, SSH_AUTH_SOCK: socket },
  });
  // An image with ssh-add and ssh-keygen, which this machine has.
  const files = programFiles("/usr/bin/ssh-add", "/usr/bin/ssh-keygen");
  const Dockerfile = "FROM busybox\nCOPY --chmod=755 root /\n";
  const below = Object.entries(files).map(([path, data]): [string, Buffer] => [`root${path}`, data]);
  await mustBuild(daemon, { Dockerfile, ...Object.fromEntries(below) }, ["-t", "ssh"]);
});
after(async () => {
  await daemon.end();
  const ended = new Promise((done) => agent.once("exit", done));
  agent.kill();
  await ended;
  keys[Symbol.dispose]();
});

const build = (Dockerfile: string, ...args: string[]) =>
  daemon.berth(["build", "-t", "out", "--no-cache", ...args, "-"], {
    input: Dockerfile,
    env: { SSH_AUTH_SOCK: socket },
  });

const inImage = (command: string): Promise<string> => daemon.ok(["run", "--rm", "out", "sh", "-c", command]);

const leftNothing = async (): Promise<void> => {
  const memory = join(daemon.execRoot, "build");
  await until("no socket is left", () => !existsSync(memory) || readdirSync(memory).length === 0);
};

test("a step asks the client's agent, by several connections at once, and keeps nothing of it", async () => {
  const built = await build(
    `FROM ssh
RUN --mount=type=ssh ssh-add -l > /keys && ssh-add -L > /public
RUN --mount=type=ssh for i in 1 2 3 4 5 6; do ssh-add -l > /at-once.$i & done; wait; cat /at-once.* | sort -u | wc -l > /at-once
RUN --mount=type=ssh ssh-add -L > /key.pub && echo data > /data && ssh-keygen -q -Y sign -f /key.pub -n berth /data
RUN --mount=type=ssh,target=/here/agent,mode=0666,uid=7 stat -c '%u %a' /here/agent > /stat; su nobody -s /bin/sh -c 'ssh-add -l' > /nobody
RUN test -z "$SSH_AUTH_SOCK" && ! ls -d /run/buildkit /here 2>/dev/null
`,
    "--ssh",
    "default",
  );
  assert.equal(built.code, 0, built.stderr);
  assert.match(await inImage("cat /keys"), /^256 SHA256:\S+ first \(ED25519\)$/);
  assert.equal(
    await inImage("cat /at-once /stat; cmp /keys /nobody && test -s /data.sig && echo signed"),
    "1\n7 666\nsigned",
  );
  await leftNothing();
});

test("agents by name, from a key, and none", async () => {
  const keyed = await build(
    "FROM ssh\nRUN --mount=type=ssh,id=work ssh-add -l > /work\nRUN --mount=type=ssh ssh-add -l > /default",
    ...["--ssh", `work=${join(keys.path, "second")}`, "--ssh", `default=${socket}`],
  );
  assert.equal(keyed.code, 0, keyed.stderr);
  assert.match(await inImage("cat /work /default"), / second \(ED25519\)\n.* first \(ED25519\)$/);
  const without = await build('FROM ssh\nRUN --mount=type=ssh test -z "$SSH_AUTH_SOCK"');
  assert.equal(without.code, 0, without.stderr);
  const required = await build("FROM ssh\nRUN --mount=type=ssh,required=true true");
  assert.match(required.stderr, /unset ssh forward key default/);
  const classic = await failedBuild(daemon, {
    Dockerfile: "FROM ssh\nRUN --mount=type=ssh,id=x,required true",
  });
  assert.match(classic.stderr, /unset ssh forward key x/);
  const unset = await daemon.berth(["build", "--ssh", "default", "-"], {
    input: "FROM ssh",
    env: { SSH_AUTH_SOCK: "" },
  });
  assert.match(unset.stderr, /SSH_AUTH_SOCK/);
  chmodSync(join(keys.path, "second"), 0o644);
  const open = await build("FROM ssh", "--ssh", `default=${join(keys.path, "second")}`);
  chmodSync(join(keys.path, "second"), 0o600);
  assert.match(open.stderr, /ssh-add could not add/);
  await leftNothing();
});

test("a step may not change the agent's keys", async () => {
  const built = await build(
    "FROM ssh\nRUN --mount=type=ssh ! ssh-add -D && ! ssh-add -X </dev/null && ssh-add -l > /keys",
    ...["--ssh", "default"],
  );
  assert.equal(built.code, 0, built.stderr);
  const still = execFileSync("ssh-add", ["-l"], {
    env: { ...process.env, SSH_AUTH_SOCK: socket },
    encoding: "utf8",
  });
  assert.match(still, / first /);
  // Others cannot get at a session that they do not know, nor offer one that could be guessed.
  const socketOf = connect(daemon.socket);
  socketOf.end("POST /build/agent?session=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const answer = Buffer.concat(await socketOf.toArray()).toString();
  assert.match(answer, /400 Bad Request[\s\S]*session must be/);
});
