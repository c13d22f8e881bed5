import type { ContainerWaitResponse } from "@docker/node-sdk";
import { type Client, text } from "../client/client.ts";
import type { HttpResponse } from "../client/http.ts";
import { atLeast, defineCommand } from "../command.ts";
import { checkPull, createContainer } from "../create/create.ts";
import { startFailure, startStatus } from "../create/failure.ts";
import { containerFlags } from "../create/flags.ts";
import { createRequest } from "../create/request.ts";
import { CliError } from "../errors.ts";
import { checkTerminal, copyStreams } from "../io/attachment.ts";
import { err, out } from "../io/output.ts";
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
    const attaching =
      stdin || output ? attach(client, id, { stdin, stdout, stderr, keys: flags["detach-keys"] }) : undefined;
    const waiting = output ? wait(client, id, flags.rm ? "removed" : "next-exit") : undefined;
    const [attached, waited] = await Promise.all([attaching, waiting]);

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
    if (attached) {
      const end = await copyStreams(attached, {
        tty: flags.tty,
        stdin,
        output,
        detachKeys: flags["detach-keys"],
      });
      if (end === "detached") return 0;
    }
    if (!waited) return 0;
    const status = JSON.parse(await text(waited.body)) as ContainerWaitResponse;
    stopForwarding();
    if (status.Error?.Message) {
      err(`Error waiting for container: ${status.Error.Message}\n`);
      return 125;
    }
    return status.StatusCode;
  },
});

function attempt<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw startFailure(path, error);
  }
}

function attach(
  client: Client,
  id: string,
  { stdin, stdout, stderr, keys }: { stdin: boolean; stdout: boolean; stderr: boolean; keys: string },
): Promise<HttpResponse> {
  return client.request("POST", `/containers/${id}/attach`, {
    query: {
      stream: 1,
      stdin: stdin ? 1 : undefined,
      stdout: stdout ? 1 : undefined,
      stderr: stderr ? 1 : undefined,
      detachKeys: keys || undefined,
    },
    upgrade: true,
  });
}

function wait(client: Client, id: string, condition: string): Promise<HttpResponse> {
  return client.request("POST", `/containers/${id}/wait`, { query: { condition } });
}
