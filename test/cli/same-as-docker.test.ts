// The docker CLI and ours, side by side against one daemon: the same output, errors and exit codes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";

const root = process.getuid?.() === 0;
/** The wording of its messages changes from one version to the next. */
const compared = "28";
const installed = execFileSync("docker", ["--version"], { encoding: "utf8" }).match(/\d+/)?.[0];
const reasonToSkip = !root
  ? "needs root"
  : installed !== compared && `compares with the docker CLI ${compared}, this is ${installed}`;
const folder = mkdtempSync(join(tmpdir(), "berth-cli-test-"));
let daemon: TestDaemon;

before(async () => {
  if (!root) return;
  daemon = await TestDaemon.start("cli");
  writeFileSync(join(folder, "env"), "# none\nA=1\n\n B=x y\n");
  writeFileSync(join(folder, "file"), "hello\n");
  mkdirSync(join(folder, "tree", "sub"), { recursive: true });
  writeFileSync(join(folder, "tree", "a"), "a\n");
  symlinkSync("a", join(folder, "tree", "link"));
  symlinkSync("nothing", join(folder, "dangling"));
  await daemon.ok(["run", "-d", "--name", "up", "-l", "a=b", "-l", "c=d", "busybox", "sleep", "1000"]);
  await daemon.docker([
    "run",
    "--name",
    "down",
    "-v",
    "/data",
    "busybox",
    "sh",
    "-c",
    "echo out; echo err >&2; exit 3",
  ]);
  await daemon.docker(["run", "--name", "failed", "busybox", "nonexistent"]);
  await daemon.ok(["create", "--name", "never", "-i", "busybox", "cat"]);
});

after(async () => {
  if (root) await daemon.end();
  rmSync(folder, { recursive: true });
});

/** What may differ between two runs: the program's name, times, and ids that each makes for itself. */
function comparable(text: string): string {
  const compared = text
    .replace(/\bdocker(?=[ :'])/g, "berth")
    .replace(/^time=.*\n/gm, "")
    .replace(/(Less than a second|About a minute|\d+ (seconds?|minutes?)) */g, "TIME ")
    .replace(/CREATED +/g, "CREATED ")
    .replace(/STATUS +/g, "STATUS ")
    .replace(/\b[0-9a-f]{64}\b/g, "ID")
    .replace(/HOSTNAME=[0-9a-f]{12}/, "HOSTNAME=ID");
  // A second that passes between the two makes columns wider or narrower.
  return compared.includes("TIME ") ? compared.replace(/ {2,}/g, "  ") : compared;
}

async function same(args: string[], input = "some input\n"): Promise<void> {
  const theirs = await daemon.docker(args, { input, timeout: 20_000 });
  const ours = await daemon.berth(args, { input, timeout: 20_000 });
  const line = args.join(" ");
  assert.equal(comparable(ours.stdout), comparable(theirs.stdout), line);
  assert.equal(comparable(ours.stderr), comparable(theirs.stderr), line);
  assert.equal(ours.code, theirs.code, line);
}

const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");

/** Compares line after line; `!` marks those that only prepare the next. */
function sameLines(name: string, lines: string[]): void {
  test(name, { skip: reasonToSkip }, async () => {
    for (const line of lines) {
      if (line.startsWith("!")) await daemon.ok(words(line.slice(1)));
      else await same(words(line.replaceAll("FOLDER", folder)));
    }
  });
}

sameLines("run: streams, exit codes, options", [
  "run --rm busybox echo hi",
  "run --rm busybox sh -c 'echo out; echo err >&2; exit 7'",
  "run --rm -i busybox cat",
  "run --rm -i busybox wc -c",
  "run --rm -a stderr busybox sh -c 'echo out; echo err >&2'",
  "run --rm busybox nonexistent",
  "run --rm busybox /etc",
  "run --rm busybox sh -c 'kill -9 $$'",
  "run --rm -t busybox sh -c 'tty; echo a; echo b >&2'",
  "run --rm -w /tmp -h foo -u 5:6 -e A=1 --env-file FOLDER/env busybox sh -c 'pwd; hostname; id; echo $A $B'",
  "run --rm --entrypoint echo busybox a b",
  "run --rm -v FOLDER:/x:ro busybox ls /x",
  "run --rm --read-only --tmpfs /t busybox sh -c 'touch /t/x && touch /x'",
  "run --rm --cap-drop ALL --cap-add chown busybox grep CapEff /proc/self/status",
  "run --rm --network none busybox ls /sys/class/net",
  "run -d --rm busybox true",
  "run --rm --pull never nosuch true",
  "run --rm -v FOLDER:/x -v FOLDER:/x busybox ls /x",
]);

sameLines("run: what is refused before and by the daemon", [
  "run --rm --mount '' busybox",
  "run --rm --network '' busybox",
  "run --rm --network none --network name=none,alias=x busybox",
  "run --rm --network none --network host busybox",
  "run --rm --security-opt seccomp=FOLDER/file busybox",
  "run --rm --stop-timeout x busybox",
  "run --rm --device-cgroup-rule x busybox",
  "run --rm --detach-keys x,y busybox",
  "run",
  "run --nope x",
  "run -xy",
  "run -e",
  "run --memory 1x busybox",
  "run --rm --restart always busybox",
  "run --env-file FOLDER/nope busybox",
  "run -p 99999:80 busybox",
  "run --mount type=bind,src=/a busybox",
  "run --ulimit nofile=5:3 busybox",
  "run --security-opt foo busybox",
  "run -it busybox",
  "run -d -a stdin busybox",
  "run --rm INVALID true",
  "run --rm --platform nonsense busybox true",
  "run --rm --name '!' busybox",
  "run --rm -v /x:/y:badmode busybox",
  "create nosuch:tag --pull never",
]);

sameLines("exec, logs, top, port, diff, wait", [
  "exec up echo hi",
  "exec -i up cat",
  "exec -u 5 -w /tmp -e A=1 up sh -c 'id; pwd; echo $A; exit 5'",
  "exec up nonexistent",
  "exec up /etc",
  "exec never true",
  "exec nope true",
  "logs down",
  "logs -n 1 down",
  "logs --since xx down",
  "logs nope",
  "top up -o pid,comm",
  "top down",
  "port up",
  "port up 80",
  "diff nope",
  "wait down",
  "wait down nope",
]);

sameLines("ps and images, by every format", [
  "ps",
  "ps -a",
  "ps -aq",
  "ps -as --no-trunc",
  "ps -n 2",
  "ps -a --filter status=exited --filter name=down",
  "ps --filter foo",
  "ps -f nope=1",
  "ps --format json",
  "ps -a --format '{{json .}}'",
  `ps -a --format 'table {{.Names}}\t{{upper .Image}}\t{{.Label "a"}}'`,
  `ps --format '{{if eq .State "running"}}up{{else}}down{{end}} {{printf "%-8s|%q" .Names .Image}}'`,
  "ps -aq --format '{{.Names}}'",
  "ps --format '{{.Nope}}'",
  "ps --format '{{.ID'",
  "images",
  "images -q --no-trunc",
  "images --digests",
  "images --format json",
  "images nosuch",
  "history busybox",
  "volume ls --format json",
  "network ls",
]);

sameLines("inspect, info, df, version", [
  "inspect up",
  "inspect -s up down",
  "inspect busybox",
  "inspect nope up -f '{{.Id}}'",
  "inspect --type image up",
  "inspect --type foo up",
  "inspect -f '{{.State.Status}} {{.Config.Env}} {{json .Config.Labels}} {{len .Mounts}}' up",
  "inspect -f '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}{{.Config.Entrypoint}}' up",
  "inspect -f '{{if .State.Health}}x{{else}}none{{end}} {{.Config.Labels.nope}}' up",
  "inspect -f '{{json .}}' up",
  "inspect -f '{{json .HostConfig}} {{json .HostConfig.LogConfig}} {{json .GraphDriver}}' up",
  "inspect -f '{{.State}} {{.Mounts}} {{.HostConfig.RestartPolicy}} {{.HostConfig.LogConfig}}' up",
  "inspect -f '{{.GraphDriver}} {{.NetworkSettings.Ports}} {{.Mounts}}' down",
  "inspect -f '{{range .Mounts}}{{.}}{{.Type}}{{end}} {{.Config.Volumes}} {{json .Mounts}}' down",
  "image inspect -f '{{json .}} {{.RootFS}} {{json .Manifests}} {{.Descriptor}}' busybox",
  "network inspect -f '{{.IPAM}} {{.ConfigFrom}} {{.Peers}} {{json .Services}} {{.Containers}}' bridge",
  "inspect -f '{{.Nope}}' up",
  "inspect -f '{{.Config.Nope}}' up",
  "inspect -f '{{index .Config.Cmd 9}}' up",
  "inspect -f '{{foo}}' up",
  "image inspect busybox",
  "image inspect nope",
  "container inspect nope",
  "network inspect none",
  "info -f '{{.ID}} {{.NCPU}}'",
  "system df",
  "system df -v",
  "version -f '{{.Server.Version}}'",
]);

sameLines("cp and export", [
  "cp up:/etc/passwd -",
  "cp FOLDER/file up:/tmp/one",
  "cp FOLDER/tree up:/tmp",
  "cp FOLDER/tree/. up:/tmp/into",
  "cp FOLDER/file up:/nowhere/x/y",
  "cp FOLDER/file up:/tmp/new/",
  "cp FOLDER/tree up:/etc/passwd",
  "cp FOLDER/file up:/etc/passwd/",
  "cp up:/etc/passwd /dev/null",
  "cp FOLDER/file nowhere:/tmp",
  "cp FOLDER/nope up:/",
  "cp FOLDER/nope/ up:/",
  "cp FOLDER/file/ up:/",
  "cp FOLDER/file/. up:/",
  "cp FOLDER/file/x up:/",
  "cp FOLDER/file up:",
  "cp FOLDER/tree up:",
  "cp up: FOLDER",
  "cp -L FOLDER/dangling up:/tmp",
  "cp FOLDER/dangling up:/tmp",
  "cp up:/etc FOLDER/file/",
  "cp up:/etc FOLDER/file",
  "cp up:/nope FOLDER",
  "cp up:/etc/passwd FOLDER/no/such",
  "cp up:/tmp/into FOLDER/copied",
  "cp a b",
  "cp up:/a down:/b",
  "exec up sh -c 'ls -lR /tmp | cut -c1-10'",
  "export nope",
  "export -o /nope/x up",
]);

sameLines("life: stop, start, kill, pause, rename, update, rm", [
  "container prune -f --filter x",
  "system prune --filter x",
  "exec --detach-keys x,y up true",
  "!pause up",
  "pause up",
  "!unpause up",
  "unpause up",
  "pause down",
  "kill -s USR1 up",
  "kill down",
  "kill -s NOPE up",
  "rename up down",
  "rename nope x",
  "update up",
  "update --pids-limit 50 up",
  "update --restart foo up",
  "start up",
  "start -a -i never",
  "start nope up",
  "start -a nope",
  "start -a up down",
  "attach down",
  "attach nope",
  "restart -t 0 up",
  "stop -t 0 up",
  "stop up nope",
  "rm nope",
  "rm -f nope",
  "rm ''",
  "volume rm nope",
  "!volume create one",
  "!volume create two",
  "!volume create three",
  "volume rm -f three one nope two",
  "rmi nope",
  "tag nope x",
  "tag busybox X",
]);

sameLines("networks and volumes", [
  "!network create one --subnet 10.213.7.0/24 --label a=b",
  "network create one",
  "network create --subnet bad two",
  "network create host",
  "network create",
  "network ls --filter name=one --format '{{.Name}} {{.Driver}} {{.Label \"a\"}} {{.IPv4}}'",
  "network inspect one -f '{{(index .IPAM.Config 0).Subnet}} {{.Labels}} {{.Internal}}'",
  "run --rm --network one --ip 10.213.7.50 busybox hostname -i",
  "run --rm --network nope busybox true",
  "network connect one nope",
  "network connect nope up",
  "network rm -f nope",
  "!network rm one",
  "!volume create kept --label x=y",
  "volume create kept",
  "volume ls -f name=kept --format '{{.Name}} {{.Driver}} {{.Label \"x\"}}'",
  "volume inspect kept -f '{{.Labels}} {{.Scope}}'",
  "run --rm -v kept:/v busybox ls -ld /v",
  "volume rm nope",
  "volume rm -f kept",
]);

sameLines("what is no command", [
  "nope",
  "image foo",
  "container --nope",
  "rm",
  "ps a",
  "tag a",
  "--nope",
  "ps -- x",
]);
