import { existsSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory } from "./create.ts";

/** Bytes that a container wrote, and those together with its image's. */
export async function containerSizes(
  context: EngineContext,
  container: Container,
): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const [own, image] = await Promise.all([
    writableSize(context, container),
    imageSize(context, container.record.imageId),
  ]);
  return { SizeRw: own, SizeRootFs: own + image };
}

/** Bytes of the files in a container's writable layer. */
export async function writableSize(context: EngineContext, container: Container): Promise<number> {
  const directory = join(containerDirectory(context, container.id), "rw", "upper");
  try {
    return await context.files.size(directory);
  } catch (error) {
    // Just being created or removed, as those of a build are all the time.
    if (!existsSync(directory)) return 0;
    throw error;
  }
}

async function imageSize(context: EngineContext, imageId: string): Promise<number> {
  try {
    return (await context.images.inspect(imageId)).Size ?? 0;
  } catch (error) {
    // Removed by force, though its layers stay.
    if (error instanceof BerthError && error.code === "NOT_FOUND") return 0;
    throw error;
  }
}
