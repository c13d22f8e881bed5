import type { ContainerInspectResponse } from "@docker/node-sdk";
import type { Client } from "../client/client.ts";
import { defineCommand, exactly } from "../command.ts";
import { CliError } from "../errors.ts";
import { attachContainer, exitStatus, waitContainer } from "../io/attach-container.ts";
import { checkTerminal, copyStreams } from "../io/attachment.ts";
import { forwardSignals } from "../io/signals.ts";
import { followTerminalSize, terminalSize } from "../io/terminal-size.ts";

/** Attaches this program's streams to a running container. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Attach stdin, stdout and stderr to a running container",
  aliases: ["container attach", "attach"],
  flags: {
    "detach-keys": { type: "string", help: "Keys that detach, instead of ctrl-p,ctrl-q" },
    "no-stdin": { type: "bool", help: "Do not attach stdin" },
    "sig-proxy": {
      type: "bool",
      default: "true",
      help: "Send the signals that this program gets to the process",
    },
  },
  arity: exactly(1),
  completes: "container",
  async run(flags, { args: [name = ""], client }) {
    const path = `/containers/${encodeURIComponent(name)}/json`;
    const { Id = "", Config, State } = await client.json<ContainerInspectResponse>("GET", path);
    if (!State?.Running) throw new CliError("You cannot attach to a stopped container, start it first");
    if (State.Paused) throw new CliError("You cannot attach to a paused container, unpause it first");
    if (State.Restarting)
      throw new CliError("You cannot attach to a restarting container, wait until it is running");
    const tty = Config?.Tty ?? false;
    const stdin = !flags["no-stdin"] && (Config?.OpenStdin ?? false);
    checkTerminal(stdin, tty);
    const detachKeys = flags["detach-keys"];
    if (flags["sig-proxy"] && !tty) forwardSignals(client, Id);
    const waiting = await waitContainer(client, Id, "next-exit");
    const attached = await attachContainer(client, Id, { stdin, stdout: true, stderr: true, detachKeys });
    // It may have stopped between the two; then there is no size to set.
    if (tty) redraw(client, `/containers/${Id}`).catch(() => undefined);
    if ((await copyStreams(attached, { tty, stdin, output: true, detachKeys })) === "detached")
      throw new CliError("read escape sequence");
    return await exitStatus(waiting);
  },
});

/** Sets the terminal's size by way of another, so that a program draws its screen again. */
async function redraw(client: Client, path: string): Promise<void> {
  const size = terminalSize();
  if (size) await client.call("POST", `${path}/resize`, { query: { h: size.h + 1, w: size.w + 1 } });
  await followTerminalSize(client, path);
}
