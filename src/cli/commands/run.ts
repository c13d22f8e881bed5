import { text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { checkPull, createContainer } from "../create/create.ts";
import { attempt, startFailure, startStatus } from "../create/failure.ts";
import { containerFlags } from "../create/flags.ts";
import { createRequest } from "../create/request.ts";
import { CliError } from "../errors.ts";
import { attachContainer, exitStatus, waitContainer } from "../io/attach-container.ts";
import { checkTerminal, copyStreams } from "../io/attachment.ts";
import { out } from "../io/output.ts";
import { forwardSignals } from "../io/signals.ts";
import { followTerminalSize } from "../io/terminal-size.ts";

/** Makes a container and runs it. */
export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Make a container from an image and run it",
  aliases: ["container run", "run"],
  flags: {
    ...containerFlags,
    detach: { type: "bool", short: "d", help: "Run it in the background and print its id" },
    "detach-keys": { type: "string", help: "Keys that detach, instead of ctrl-p,ctrl-q" },
    "sig-proxy": {
      type: "bool",
      default: "true",
      help: "Send the signals that this program gets to the process",
    },
  },
  arity: atLeast(1),
  flagsFirst: true,
  completes: "image",
  async run(flags, { args: [image = "", ...cmd], changed, client, path }) {
    const request = attempt(path, () => {
      checkPull(flags.pull);
      return createRequest(flags, changed, image, cmd);
    });
    if (flags.detach) {
      if (flags.attach.length > 0)
        throw new CliError("conflicting options: cannot specify both --attach and --detach");
      request.AttachStdin = request.AttachStdout = request.AttachStderr = request.StdinOnce = false;
    } else {
      checkTerminal(request.AttachStdin ?? false, flags.tty);
    }
    const {
      AttachStdin: stdin = false,
      AttachStdout: stdout = false,
      AttachStderr: stderr = false,
    } = request;
    const id = await createContainer(client, flags, request).catch((error: unknown) => {
      throw startFailure(path, error, startStatus(error));
    });
    const stopForwarding = flags["sig-proxy"] && !flags.detach ? forwardSignals(client, id) : () => undefined;
    const output = stdout || stderr;
    if (!output) out(`${id}\n`);

    // Both before the start, so that nothing that the process writes and no exit is missed.
    const detachKeys = flags["detach-keys"];
    const [attached, waited] = await Promise.all([
      stdin || output ? attachContainer(client, id, { stdin, stdout, stderr, detachKeys }) : undefined,
      output ? waitContainer(client, id, flags.rm ? "removed" : "next-exit") : undefined,
    ]);

    try {
      await client.call("POST", `/containers/${id}/start`);
    } catch (error) {
      attached?.socket.destroy();
      if (flags.rm && waited) await text(waited.body).catch(() => "");
      throw startFailure(path, error, startStatus(error));
    }
    if (attached && flags.tty) {
      // The process may be gone already; then there is no size to set.
      followTerminalSize(client, `/containers/${id}`).catch(() => undefined);
    }
    if (
      attached &&
      (await copyStreams(attached, { tty: flags.tty, stdin, output, detachKeys })) === "detached"
    )
      return 0;
    if (!waited) return 0;
    const status = await exitStatus(waited);
    stopForwarding();
    return status;
  },
});
