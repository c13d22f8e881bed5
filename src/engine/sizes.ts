import { BerthError } from "../lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";

export async function containerSizes(
  _context: EngineContext,
  _container: Container,
): Promise<{ SizeRw: number; SizeRootFs: number }> {
  throw new BerthError("NOT_IMPLEMENTED", "sizes are not counted yet");
}

export async function writableSize(_context: EngineContext, _container: Container): Promise<number> {
  return 0;
}
