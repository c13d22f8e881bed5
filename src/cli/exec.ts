import type { ExecInspectResponse } from "@docker/node-sdk";
import type { Client } from "./client/client.ts";
import { checkEnv } from "./create/checks.ts";
import { collectEnv } from "./create/env.ts";
import { CliError } from "./errors.ts";
import type { FlagTable, Values } from "./flags/flag.ts";
import { checkTerminal, copyStreams } from "./io/attachment.ts";
import { followTerminalSize, terminalSize } from "./io/terminal-size.ts";

/** The flags of `exec`, in containers and in machines. */
export const execFlags = {
  detach: { type: "bool", short: "d", help: "Run the command in the background" },
  "detach-keys": { type: "string", help: "Keys that detach, instead of ctrl-p,ctrl-q" },
  env: { type: "list", short: "e", check: checkEnv, help: "Set an environment variable" },
  "env-file": { type: "list", completes: "file", help: "Read environment variables from a file" },
  interactive: { type: "bool", short: "i", help: "Keep stdin open" },
  privileged: { type: "bool", help: "Give the command every privilege" },
  tty: { type: "bool", short: "t", help: "Give it a terminal" },
  user: { type: "string", short: "u", help: "User, and group, to run as (NAME|UID[:GROUP|GID])" },
  workdir: { type: "string", short: "w", help: "Working directory in the container" },
} as const satisfies FlagTable;

/** Runs a command in what the API has at `path`, with this program's streams. Resolves to its exit status. */
export async function execIn(
  client: Client,
  path: string,
  command: readonly string[],
  flags: Values<typeof execFlags>,
): Promise<number> {
  const { detach, interactive, tty } = flags;
  if (!detach) checkTerminal(interactive, tty);
  const size = tty ? terminalSize() : undefined;
  const consoleSize = size && !detach ? [size.h, size.w] : undefined;
  const { Id } = await client.json<{ Id?: string }>("POST", `${path}/exec`, {
    body: {
      User: flags.user,
      Privileged: flags.privileged,
      Tty: tty,
      ConsoleSize: consoleSize,
      AttachStdin: !detach && interactive,
      AttachStdout: !detach,
      AttachStderr: !detach,
      DetachKeys: flags["detach-keys"],
      Env: collectEnv(flags["env-file"], flags.env),
      WorkingDir: flags.workdir,
      Cmd: command,
    },
  });
  if (!Id) throw new CliError("exec ID empty");
  const start = { Detach: detach, Tty: tty, ConsoleSize: consoleSize };
  if (detach) {
    await client.call("POST", `/exec/${Id}/start`, { body: start });
    return 0;
  }
  const response = await client.request("POST", `/exec/${Id}/start`, { body: start, upgrade: true });
  const copied = copyStreams(response, {
    tty,
    stdin: interactive,
    output: true,
    detachKeys: flags["detach-keys"],
  });
  if (size) {
    const resized = followTerminalSize(client, `/exec/${Id}`);
    // It has no terminal any more when it ended at once.
    resized.catch(() => undefined);
  }
  if ((await copied) === "detached") throw new CliError("read escape sequence");
  const { ExitCode } = await client.json<ExecInspectResponse>("GET", `/exec/${Id}/json`);
  return ExitCode ?? 0;
}
