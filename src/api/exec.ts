import type { ExecConfig, ExecStartConfig } from "@docker/node-sdk";
import type { Attachment, ExecStartOptions } from "../engine/types.ts";
import { parseDetachKeys } from "../lib/detach-keys.ts";
import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";
import { writeFrame } from "./frames.ts";
import { finish, pump } from "./pump.ts";
import type { Route } from "./router.ts";
import { decode, flag, integer, list, struct, text, texts } from "./shape.ts";

/** What a client asks of an exec. */
export const execConfig = struct<ExecConfig>("ExecOptions", {
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ConsoleSize: list(integer, "[2]uint"),
  DetachKeys: text,
  Tty: flag,
  Env: texts,
  Cmd: texts,
  Privileged: flag,
  User: text,
  WorkingDir: text,
});

const execStartConfig = struct<ExecStartConfig>("ExecStartOptions", {
  Detach: flag,
  Tty: flag,
  ConsoleSize: list(integer, "[2]uint"),
});

async function create(context: Context): Promise<void> {
  const body = await context.requiredBody();
  const config = decode(execConfig, body);
  if (context.version < 42) delete config.ConsoleSize;
  if (!config.Cmd || config.Cmd.length === 0) throw invalid("No exec command specified");
  if (config.DetachKeys) parseDetachKeys(config.DetachKeys, "escape");
  const { Id } = await context.services.execs.create(context.name, config);
  context.json(201, { Id });
}

async function start(context: Context): Promise<void> {
  const { execs } = context.services;
  const config = decode(execStartConfig, (await context.body()) ?? null);
  const exec = await execs.inspect(context.name);
  const tty = config.Tty ?? false;
  const stdin = exec.OpenStdin ?? false;
  const detachKeys = exec.DetachKeys ? parseDetachKeys(exec.DetachKeys) : undefined;
  const [height, width] = (context.version >= 42 && tty && config.ConsoleSize) || [];
  const options: ExecStartOptions = {
    detach: config.Detach ?? false,
    tty,
    stdin,
    consoleSize: height && width ? { height, width } : undefined,
  };
  if (options.detach) {
    await execs.start(context.name, options);
    context.empty(200);
    return;
  }

  // As with dockerd the stream is open before the process: why it did not start is told on it.
  const connection = await context.hijack(!tty);
  let attachment: Attachment | null;
  try {
    attachment = await execs.start(context.name, options);
  } catch (error) {
    const reason = Buffer.from(`${error instanceof Error ? error.message : String(error)}\r\n`);
    if (tty) connection.socket.write(reason);
    else writeFrame(connection.socket, "stdout", reason);
    finish(connection.socket, connection.wire);
    return;
  }
  if (attachment) await pump(connection, attachment, { stdin, detachKeys });
  else finish(connection.socket, connection.wire);
}

async function inspect(context: Context): Promise<void> {
  context.json(200, await context.services.execs.inspect(context.name));
}

async function resize(context: Context): Promise<void> {
  const { query } = context;
  const size = { height: query.requiredInteger("h"), width: query.requiredInteger("w") };
  await context.services.execs.resize(context.name, size);
  context.empty(200);
}

/** Further processes in running containers. */
export const execRoutes: Route[] = [
  { method: "POST", path: "/containers/{name}/exec", handle: create },
  { method: "POST", path: "/exec/{name}/start", handle: start, upgrade: true },
  { method: "GET", path: "/exec/{name}/json", handle: inspect },
  { method: "POST", path: "/exec/{name}/resize", handle: resize },
];
