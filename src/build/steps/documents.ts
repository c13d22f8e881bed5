import { createHash } from "node:crypto";
import { chown, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../../lib/errors.ts";
import { FileIndex } from "../context/file-index.ts";
import { contextSource, type SourceFiles } from "../context/source.ts";
import { ExpansionError, expandDocument } from "../dockerfile/expand.ts";
import type { Instruction } from "../dockerfile/instruction.ts";
import { failedToProcess } from "../plan.ts";
import type { StepContext } from "../stage-build.ts";

/** The documents that COPY has in the Dockerfile, as files in a directory. */
export async function documentSource(
  { session, state }: StepContext,
  instruction: Instruction & { kind: "copy" | "add" },
  directory: string,
): Promise<SourceFiles> {
  const { escapeToken } = session.plan.dockerfile;
  const files = [];
  for (const { name, content, expand } of instruction.heredocs) {
    if (name.includes("/") || name.startsWith(".")) throw invalid(`invalid name of a document: ${name}`);
    const text = expand ? expanded(instruction, content, state.lookup, escapeToken) : content;
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o644 });
    await chown(path, 0, 0);
    await utimes(path, 0, 0);
    const digest = createHash("sha256").update(text).digest("hex");
    const size = Buffer.byteLength(text);
    files.push({ path: `/${name}`, kind: "file" as const, mode: 0o644, uid: 0, gid: 0, size, digest });
  }
  const root = { path: "/", kind: "directory" as const, mode: 0o755, uid: 0, gid: 0, size: 0 };
  return contextSource({ directory, index: new FileIndex([root, ...files]), ignored: [] });
}

function expanded(
  { location }: Instruction,
  text: string,
  lookup: StepContext["state"]["lookup"],
  escapeToken: string,
): string {
  try {
    return expandDocument(text, lookup, escapeToken);
  } catch (error) {
    if (error instanceof ExpansionError) throw failedToProcess(location, text, error);
    throw error;
  }
}
