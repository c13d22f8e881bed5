import { tty as terminal } from "../builtin.ts";
import { drained, type HttpResponse } from "../client/http.ts";
import { CliError, errorMessage } from "../errors.ts";
import { demultiplex } from "./demultiplex.ts";
import { err, out } from "./output.ts";

export interface AttachmentOptions {
  tty: boolean;
  stdin: boolean;
  /** Whether output is copied at all; without it the end of input is the end. */
  output: boolean;
  /** The sequence that detaches from a terminal; ctrl-p,ctrl-q if empty. */
  detachKeys: string;
}

/**
 * Copies between this process's standard streams and an upgraded connection. Resolves to `detached`
 * when the detach sequence was typed, else to `closed` when the output ends.
 */
export async function copyStreams(
  response: HttpResponse,
  options: AttachmentOptions,
): Promise<"closed" | "detached"> {
  const restore = options.tty && options.stdin ? await rawTerminal() : () => undefined;
  try {
    const output = options.output ? copyOutput(response, options.tty) : undefined;
    if (!options.stdin) {
      response.socket.end();
      await output;
      return "closed";
    }
    const input = copyInput(response, options);
    const ends: Promise<"closed" | "detached">[] = [];
    if (output) ends.push(output.then(() => "closed"));
    ends.push(input.then((end) => (end === "detached" || !output ? end : output.then(() => "closed"))));
    return await Promise.race(ends);
  } finally {
    restore();
    // Only where it was read: its getter opens it.
    if (options.stdin) process.stdin.destroy();
    response.socket.destroy();
  }
}

/** Without a terminal on stdin `-t` is refused; the error is docker's. */
export function checkTerminal(attachStdin: boolean, tty: boolean): void {
  if (attachStdin && tty && !terminal.isatty(0)) throw new CliError("the input device is not a TTY");
}

async function copyOutput({ body }: HttpResponse, tty: boolean): Promise<void> {
  if (!tty) {
    await demultiplex(body, (stream, data) => (stream === "stderr" ? err(data) : out(data)));
    return;
  }
  for await (const data of body) out(data);
}

async function copyInput(
  { socket }: HttpResponse,
  { tty, detachKeys }: AttachmentOptions,
): Promise<"closed" | "detached"> {
  const watcher = tty ? await makeWatcher(detachKeys) : undefined;
  for await (const chunk of process.stdin) {
    const data: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    const { send, detached } = watcher?.feed(data) ?? { send: data, detached: false };
    if (send.length > 0 && socket.writable && !socket.write(send)) await drained(socket);
    if (detached) return "detached";
    if (!socket.writable) break;
  }
  socket.end();
  return "closed";
}

async function makeWatcher(keys: string) {
  const { DetachWatcher, defaultDetachKeys, parseDetachKeys } = await import("../../lib/detach-keys.ts");
  try {
    return new DetachWatcher(keys === "" ? defaultDetachKeys : parseDetachKeys(keys));
  } catch (error) {
    err(`WARNING: ${errorMessage(error)}: using the default\n`);
    return new DetachWatcher(defaultDetachKeys);
  }
}

/** Makes the terminal pass every byte on as it is, both ways; the returned function takes it back. */
async function rawTerminal(): Promise<() => void> {
  const { stdin } = process;
  if (!stdin.isTTY) return () => undefined;
  stdin.setRawMode(true);
  // Node leaves the translation of newlines on, which breaks programs that draw on the whole screen.
  const { spawnSync } = await import("node:child_process");
  spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
  return () => stdin.setRawMode(false);
}
