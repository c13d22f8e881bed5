import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { system } from "../lib/errors.ts";
import { nativeFile } from "../lib/own-file.ts";
import { passedThrough } from "../lib/young-garbage.ts";

/** The file beside a layer's `fs` by which the uncompressed archive is made again. */
export const recipeName = "recipe";
/** The contents of files that the archive itself replaced by later ones; there only when there are any. */
export const replacedName = "replaced";

/** Whether an archive can be made again from what is in a layer's directory. */
export const canAssemble = (directory: string): boolean => existsSync(join(directory, recipeName));

/** What berth-tar says of a layer when it is not what it was. */
const changed = (diffId: string, reason: string): Error =>
  system(`the files of layer ${diffId} are not what they were: ${reason}`);

/**
 * The uncompressed archive that a layer was unpacked from, made again. The stream fails at its end when that
 * is not `diffId`: what was read until then cannot be taken back.
 */
export function assemble(directory: string, diffId: string): Readable {
  const child = start("assemble", directory, diffId, "pipe");
  const output = new PassThrough({ highWaterMark: 1 << 18 });
  output.on("close", () => child.kill("SIGKILL"));
  child.stdout?.on("data", (data: Buffer) => passedThrough(data.length));
  child.stdout?.pipe(output, { end: false });
  // Errors reach the reader through the output, which ends only after the program has.
  failureOf(child).then(
    (reason) => (reason === null ? output.end() : output.destroy(changed(diffId, reason))),
    (error) => output.destroy(error),
  );
  return output;
}

/** Why the archive of a layer cannot be made again from its files as it was; null when it can. */
export function verify(directory: string, diffId: string): Promise<string | null> {
  return failureOf(start("verify", directory, diffId, "ignore"));
}

function start(what: string, directory: string, diffId: string, stdout: "pipe" | "ignore"): ChildProcess {
  const replaced = join(directory, replacedName);
  const args = [what, join(directory, "fs"), diffId.slice("sha256:".length)];
  if (existsSync(replaced)) args.push(replaced);
  const recipe = openSync(join(directory, recipeName), "r");
  try {
    return spawn(nativeFile("berth-tar"), args, { stdio: [recipe, stdout, "pipe"], env: {} });
  } finally {
    closeSync(recipe);
  }
}

/** What the program said when it failed. Rejects when it could not be run. */
function failureOf(child: ChildProcess): Promise<string | null> {
  const words: Buffer[] = [];
  child.stderr?.on("data", (data: Buffer) => words.push(data));
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(system(`could not run berth-tar: ${error.message}`, error)));
    child.on("close", (code, signal) =>
      resolve(code === 0 ? null : reasonIn(Buffer.concat(words).toString("utf8"), signal)),
    );
  });
}

function reasonIn(words: string, signal: NodeJS.Signals | null): string {
  const said: unknown = words.startsWith("{") ? JSON.parse(words) : {};
  if (typeof said !== "object" || said === null || !("error" in said)) return `${signal ?? words.trim()}`;
  const entry = "entry" in said && typeof said.entry === "string" ? ` (${fromBytes(said.entry)})` : "";
  return `${said.error}${entry}`;
}

/** File names come from berth-tar one byte a character, and may be as long as an archive likes. */
export function fromBytes(text: string): string {
  const name = Buffer.from(text, "latin1").toString("utf8");
  return name.length > 200 ? `${name.slice(0, 200)}…` : name;
}
