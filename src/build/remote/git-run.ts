import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { invalid, system } from "../../lib/errors.ts";

export interface GitOptions {
  /** The repository's directory. */
  directory: string;
  /** A directory for git's own files, of this run only. */
  home: string;
  /** The socket of an ssh agent. */
  agent?: string;
  /** What the server of a repository, and no other, is told of who asks. */
  authorization?: { remote: string; value: string };
  /** It ends when it has said nothing for so long. Milliseconds. */
  silence?: number;
  signal?: AbortSignal;
}

/** What a repository brings along must not run, and nothing of this machine is to be reached by it. */
const settings: Record<string, string> = {
  "advice.detachedHead": "false",
  "core.attributesFile": "/dev/null",
  "core.fsmonitor": "false",
  "core.hooksPath": "/dev/null",
  "credential.helper": "",
  "gc.auto": "0",
  // Bytes in a second, and seconds.
  "http.lowSpeedLimit": "1",
  "http.lowSpeedTime": "60",
  "init.defaultBranch": "main",
  "init.templateDir": "",
  "protocol.allow": "never",
  "protocol.git.allow": "always",
  "protocol.http.allow": "always",
  "protocol.https.allow": "always",
  "protocol.ssh.allow": "always",
  "submodule.recurse": "false",
  "transfer.bundleURI": "false",
};

/** As much of what git says as an error shows. */
const longest = 4096;

/** Runs git; resolves with what it printed. Rejects with what it said when it fails. */
export async function git(args: readonly string[], options: GitOptions): Promise<string> {
  options.signal?.throwIfAborted();
  // A group of its own, so that its helpers end with it.
  const child = spawn("git", args, {
    cwd: options.directory,
    env: environment(options),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on("error", reject);
  child.on("close", resolve);
  const onAbort = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  options.signal?.addEventListener("abort", onAbort, { once: true });
  let isSilent = false;
  const patience = setTimeout(() => {
    isSilent = true;
    onAbort();
  }, options.silence);
  if (options.silence === undefined) clearTimeout(patience);
  let output = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (options.silence !== undefined) patience.refresh();
    // References of a repository that wants to fill the memory.
    if (output.length > 64 << 20) onAbort();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-longest);
    if (options.silence !== undefined) patience.refresh();
  });
  try {
    const code = await promise;
    options.signal?.throwIfAborted();
    if (isSilent) throw invalid(`git ${args[0]} failed: the server fell silent`);
    if (code === 0) return output;
    throw invalid(`git ${args[0]} failed: ${withoutProgress(complaint) || `exit code ${code}`}`);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw system("git is not installed: install it to build from repositories", error);
    throw error;
  } finally {
    clearTimeout(patience);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

const progress =
  /^((remote: )?(Enumerating|Counting|Compressing|Receiving|Resolving|Unpacking|Total) .*|From .*| \* .*)?$/;

const withoutProgress = (said: string): string =>
  said
    .split(/[\r\n]+/)
    .filter((line) => !progress.test(line.trimEnd()))
    .join("\n");

function environment({ home, agent, authorization }: GitOptions): NodeJS.ProcessEnv {
  const entries = Object.entries(settings);
  // Not among the arguments, which everybody on this machine may see.
  if (authorization) {
    const { remote, value } = authorization;
    entries.push([`http.${new URL(remote).origin}/.extraHeader`, `Authorization: ${value}`]);
  }
  return {
    PATH: process.env.PATH,
    ...proxies(),
    HOME: home,
    LC_ALL: "C",
    GIT_ALLOW_PROTOCOL: "git:http:https:ssh",
    GIT_ASKPASS: "/bin/false",
    GIT_CONFIG_COUNT: String(entries.length),
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    ...Object.fromEntries(
      entries.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
    GIT_LFS_SKIP_SMUDGE: "1",
    GIT_SSH_COMMAND: sshCommand(home),
    GIT_TERMINAL_PROMPT: "0",
    ...(agent === undefined ? {} : { SSH_AUTH_SOCK: agent }),
  };
}

/** The hosts that this machine knows must be who they are; others are taken as they come, once per build. */
const sshCommand = (home: string): string => {
  const known = [join(home, "known_hosts"), join(homedir(), ".ssh", "known_hosts")];
  const options = [
    "BatchMode=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=15",
    "StrictHostKeyChecking=accept-new",
    `UserKnownHostsFile=${known.join(" ")}`,
  ];
  return ["ssh -F /dev/null", ...options.map((option) => `-o '${option.replaceAll("'", `'\\''`)}'`)].join(
    " ",
  );
};

const proxies = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(https?|all|no)_proxy$/i.test(name)));
