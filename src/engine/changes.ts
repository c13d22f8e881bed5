import type { FilesystemChange } from "@docker/node-sdk";
import { BerthError } from "../lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";

export async function changes(_context: EngineContext, _container: Container): Promise<FilesystemChange[]> {
  throw new BerthError("NOT_IMPLEMENTED", "changes are not listed yet");
}
