import { join } from "node:path";
import type { FilesystemChange } from "@docker/node-sdk";
import { runFileWork } from "../lib/file-worker.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory } from "./create.ts";

/** `docker diff`: what the writable layer changes (0), adds (1) and deletes (2), a directory before what is in it. */
export async function changes(context: EngineContext, container: Container): Promise<FilesystemChange[]> {
  const upper = join(containerDirectory(context, container.id), "rw", "upper");
  const lines = await runFileWork(["changes", upper, ...context.images.layersOf(container.id)]);
  const found = lines.map((line) => ({
    Path: String(line.path),
    Kind: Number(line.kind) as FilesystemChange["Kind"],
  }));
  return found.sort((a, b) => comparePaths(a.Path, b.Path));
}

/** By components, so that "/a/b" comes before "/a-b". */
function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
