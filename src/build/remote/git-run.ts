import { spawn } from "node:child_process";
import { invalid, system } from "../../lib/errors.ts";

export interface GitOptions {
  /** The repository's directory. */
  directory: string;
  /** A directory for git's own files, of this run only. */
  home: string;
  /** The socket of an ssh agent. */
  agent?: string;
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
  let output = "";
  let complaint = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    // References of a repository that wants to fill the memory.
    if (output.length > 64 << 20) onAbort();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-longest);
  });
  try {
    const code = await promise;
    options.signal?.throwIfAborted();
    if (code === 0) return output;
    throw invalid(`git ${args[0]} failed: ${complaint.trim() || `exit code ${code}`}`);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw system("git is not installed: install it to build from repositories", error);
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
  }
}

function environment({ home, agent }: GitOptions): NodeJS.ProcessEnv {
  const entries = Object.entries(settings);
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
    GIT_SSH_COMMAND:
      "ssh -F /dev/null -o BatchMode=yes -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=accept-new",
    GIT_TERMINAL_PROMPT: "0",
    ...(agent === undefined ? {} : { SSH_AUTH_SOCK: agent }),
  };
}

const proxies = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(https?|all|no)_proxy$/i.test(name)));
