import { Channel } from "../lib/channel.ts";
import { conflict } from "../lib/errors.ts";
import type { Shim, ShimAttachment } from "../runtime/types.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { readLogs } from "./logs/logs.ts";
import type { Attachment, AttachOptions } from "./types.ts";

type Output = { stream: "stdout" | "stderr"; data: Buffer };

/** Connects a client to a container's streams; before the start it waits for the process. */
export async function attachContainer(
  context: EngineContext,
  container: Container,
  options: AttachOptions,
): Promise<Attachment> {
  if (container.status === "paused") {
    throw conflict(`container ${container.id} is paused, unpause the container before attach`);
  }
  if (container.status === "restarting") {
    throw conflict(`container ${container.id} is restarting, wait until the container is running`);
  }
  const tty = container.record.config.Tty ?? false;
  const wanted = {
    stdin: options.stdin ?? false,
    stdout: options.stdout ?? false,
    stderr: options.stderr ?? false,
  };
  const past = options.logs ? pastOutput(context, container, wanted) : null;
  containerEvent(context, container, "attach");
  if (options.stream === false) return finished(tty, past);
  if (container.shim) return live(tty, past, container.shim.attach(wanted));
  return live(tty, past, attachAtStart(context, container, wanted));
}

/** The shim reads no output before those who attached early are connected. */
function attachAtStart(
  context: EngineContext,
  container: Container,
  wanted: { stdin: boolean; stdout: boolean; stderr: boolean },
): Promise<ShimAttachment> & { cancel?: () => void } {
  let cancel: (() => void) | undefined;
  // What was begun ahead has a shim already, which will have read this by the time its process runs.
  const early = context.runtime.attachAhead(container.id, wanted);
  const promise: Promise<ShimAttachment> & { cancel?: () => void } = new Promise((resolve, reject) => {
    const pending = {
      started: (shim: Shim) => resolve(early ? early.catch(() => shim.attach(wanted)) : shim.attach(wanted)),
      failed: reject,
    };
    container.pendingAttaches.add(pending);
    cancel = () => {
      container.pendingAttaches.delete(pending);
      early?.then(
        (attachment) => attachment.close(),
        () => undefined,
      );
      reject(new Error("detached before the start"));
    };
  });
  promise.cancel = cancel;
  return promise;
}

/** An attachment that is usable at once, whether the shim is connected yet or not. */
function live(
  tty: boolean,
  past: AsyncIterable<Output> | null,
  connecting: Promise<ShimAttachment> & { cancel?: () => void },
): Attachment {
  let closed = false;
  // Whoever awaits the output or a write sees the failure; nobody else has to.
  connecting.catch(() => undefined);
  return {
    tty,
    output: (async function* () {
      if (past) yield* past;
      let attachment: ShimAttachment;
      try {
        attachment = await connecting;
      } catch {
        // The start failed: its own caller is told why, the stream just ends.
        return;
      }
      yield* attachment.output;
    })(),
    async write(data) {
      await (await connecting).write(data);
    },
    closeStdin() {
      connecting.then(
        (attachment) => attachment.closeStdin(),
        () => undefined,
      );
    },
    close() {
      if (closed) return;
      closed = true;
      connecting.cancel?.();
      connecting.then(
        (attachment) => attachment.close(),
        () => undefined,
      );
    },
  };
}

function finished(tty: boolean, past: AsyncIterable<Output> | null): Attachment {
  const nothing = new Channel<Output>();
  nothing.close();
  return {
    tty,
    output: past ?? nothing,
    write: () => Promise.resolve(),
    closeStdin: () => undefined,
    close: () => undefined,
  };
}

async function* pastOutput(
  context: EngineContext,
  container: Container,
  wanted: { stdout: boolean; stderr: boolean },
): AsyncGenerator<Output> {
  for await (const { stream, line } of readLogs(context, container, { ...wanted }))
    yield { stream, data: line };
}

/** For exec: streams of a process that runs already. */
export const attachShim = (tty: boolean, connecting: Promise<ShimAttachment>): Attachment =>
  live(tty, null, connecting);
