import type { Base, Material } from "../image/building.ts";
import type { Layer } from "../image/layers.ts";
import { hostPlatform, parsePlatform, platformDistance } from "../image/platform.ts";
import { parseReference } from "../image/reference.ts";
import type { ImageDocument, Platform } from "../image/types.ts";
import { BerthError } from "../lib/errors.ts";
import type { PlannedStage } from "./plan.ts";
import type { BuildParts } from "./running-build.ts";
import type { StepInfo } from "./types.ts";

/** What a stage begins with. */
export interface FoundBase {
  /** The image's id; empty for scratch. */
  id: string;
  document: ImageDocument;
  /** Held. */
  layers: Layer[];
  /** Undefined for scratch. */
  origin?: Material;
}

/** The image that a stage stands on: one that is here, else from its registry. */
export async function findBase(
  parts: Pick<BuildParts, "request" | "workshop" | "registry">,
  { base, platform: wanted }: Pick<PlannedStage, "base" | "platform">,
  step: StepInfo | null,
  signal: AbortSignal,
): Promise<FoundBase> {
  const { request, workshop, registry } = parts;
  const given = wanted ?? request.platform;
  const platform = given ? parsePlatform(given) : hostPlatform;
  if (base === "scratch" || !("image" in base)) {
    return { id: "", layers: [], document: { ...platform, rootfs: { type: "layers", diff_ids: [] } } };
  }
  const withOrigin = (found: Base): FoundBase => ({
    ...found,
    origin: workshop.images.origin(base.image, found),
  });
  const there = findLocal(parts, base.image, platform);
  const local = request.pull ? undefined : there;
  if (local && (!given || platformDistance(platform, local.document) !== null)) return withOrigin(local);
  for (const layer of there?.layers ?? []) workshop.images.release(layer);
  const id = await registry.pull(base.image, {
    platform: given,
    credentials: request.credentials?.(parseReference(base.image).domain),
    onProgress: (progress) => step && request.onEvent?.({ kind: "pull", step, progress }),
    signal,
    // The name goes on to mean what it meant for another platform.
    unnamed: there !== undefined && platformDistance(platform, there.document) === null,
  });
  return withOrigin(workshop.images.base(id));
}

function findLocal(
  { workshop }: Pick<BuildParts, "workshop">,
  image: string,
  platform: Platform,
): Base | undefined {
  try {
    return workshop.images.base(image, platform);
  } catch (error) {
    if (error instanceof BerthError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}
