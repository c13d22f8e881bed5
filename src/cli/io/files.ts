import type { ReadStream } from "node:fs";
import { dirname } from "node:path";
import { fs } from "../builtin.ts";
import { openError } from "../create/env.ts";
import { CliError } from "../errors.ts";
import { write } from "./output.ts";

/** A file to read, or stdin for `-`. Throws `CliError` if it cannot be opened. */
export async function openInput(path: string): Promise<NodeJS.ReadStream | ReadStream> {
  if (path === "-") return process.stdin;
  const stream = fs.createReadStream(path, { highWaterMark: 1 << 20 });
  await new Promise((resolve, reject) => {
    stream.once("ready", resolve);
    stream.once("error", (error) => reject(new CliError(openError(path, error))));
  });
  return stream;
}

/**
 * Writes a body to a file, or to stdout if the path is empty. A file appears whole or not at all. Throws
 * `CliError` if it cannot be written.
 */
export async function saveBody(body: AsyncIterable<Buffer>, path: string): Promise<void> {
  if (path === "") {
    for await (const data of body) write(1, data);
    return;
  }
  const parent = dirname(path);
  if (!fs.existsSync(parent))
    throw new CliError(`invalid output path: stat ${parent}: no such file or directory`);
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) throw new CliError("cannot write to a directory");
  // A pipe or a device is written to, not replaced.
  const whole = stat === undefined || stat.isFile();
  const target = whole ? `${path}.${process.pid}.tmp` : path;
  let file: number;
  try {
    file = fs.openSync(target, "w", 0o600);
  } catch (error) {
    throw new CliError(openError(path, error));
  }
  try {
    for await (const data of body) write(file, data);
    if (whole) fs.renameSync(target, path);
  } catch (error) {
    if (whole) fs.rmSync(target, { force: true });
    throw error;
  } finally {
    fs.closeSync(file);
  }
}
