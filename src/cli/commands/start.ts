import type { ContainerInspectResponse } from "@docker/node-sdk";
import type { Client } from "../client/client.ts";
import { text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { CliError, errorMessage } from "../errors.ts";
import { attachContainer, exitStatus, waitContainer } from "../io/attach-container.ts";
import { checkTerminal, copyStreams } from "../io/attachment.ts";
import { err, out } from "../io/output.ts";
import { forwardSignals } from "../io/signals.ts";
import { followTerminalSize } from "../io/terminal-size.ts";

/** Starts containers, attached to one if asked. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Start stopped containers",
  aliases: ["container start", "start"],
  flags: {
    attach: {
      type: "bool",
      short: "a",
      help: "Attach to its output and send it the signals that this program gets",
    },
    "detach-keys": { type: "string", help: "Keys that detach, instead of ctrl-p,ctrl-q" },
    interactive: { type: "bool", short: "i", help: "Attach to its stdin" },
  },
  arity: atLeast(1),
  completes: "container",
  async run(flags, { args, client }) {
    if (!flags.attach && !flags.interactive) return await startAll(client, args);
    if (args.length > 1) throw new CliError("you cannot start and attach multiple containers at once");
    return await startAttached(client, args[0] ?? "", flags.interactive, flags["detach-keys"]);
  },
});

async function startAll(client: Client, names: readonly string[]): Promise<number> {
  const failed: string[] = [];
  for (const name of names) {
    try {
      await client.call("POST", `/containers/${encodeURIComponent(name)}/start`);
      out(`${name}\n`);
    } catch (error) {
      err(`${errorMessage(error)}\n`);
      failed.push(name);
    }
  }
  if (failed.length > 0) throw new CliError(`Error: failed to start containers: ${failed.join(", ")}`);
  return 0;
}

async function startAttached(
  client: Client,
  name: string,
  interactive: boolean,
  detachKeys: string,
): Promise<number> {
  const path = `/containers/${encodeURIComponent(name)}/json`;
  const { Id = "", Config, HostConfig } = await client.json<ContainerInspectResponse>("GET", path);
  const tty = Config?.Tty ?? false;
  const stdin = interactive && (Config?.OpenStdin ?? false);
  checkTerminal(stdin, tty);
  if (!tty) forwardSignals(client, Id);
  const attached = await attachContainer(client, Id, { stdin, stdout: true, stderr: true, detachKeys });
  const waiting = await waitContainer(client, Id, HostConfig?.AutoRemove ? "removed" : "next-exit");
  try {
    await client.call("POST", `/containers/${Id}/start`);
  } catch (error) {
    attached.socket.destroy();
    if (HostConfig?.AutoRemove) await text(waiting.body);
    throw error;
  }
  // The process may be gone already; then there is no size to set.
  if (tty) followTerminalSize(client, `/containers/${Id}`).catch(() => undefined);
  if ((await copyStreams(attached, { tty, stdin, output: true, detachKeys })) === "detached") return 0;
  return await exitStatus(waiting);
}
