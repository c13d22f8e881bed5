import type { Readable } from "node:stream";
import { BerthError } from "../lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import type { PathStat, PutArchiveOptions } from "./types.ts";

const missing = (): BerthError => new BerthError("NOT_IMPLEMENTED", "files are not copied yet");

export async function exportContainer(_context: EngineContext, _container: Container): Promise<Readable> {
  throw missing();
}
export async function statPath(
  _context: EngineContext,
  _container: Container,
  _path: string,
): Promise<PathStat> {
  throw missing();
}
export async function getArchive(
  _context: EngineContext,
  _container: Container,
  _path: string,
): Promise<{ stat: PathStat; tar: Readable }> {
  throw missing();
}
export async function putArchive(
  _context: EngineContext,
  _container: Container,
  _path: string,
  _tar: Readable,
  _options?: PutArchiveOptions,
): Promise<void> {
  throw missing();
}
