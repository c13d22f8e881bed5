import type { Schema } from "../migrate.ts";
import { containerSchema } from "./container.ts";
import { imageSchema } from "./image.ts";
import { networkSchema } from "./network.ts";
import { volumeSchema } from "./volume.ts";

/** Every domain's tables. */
export const schemas: readonly Schema[] = [imageSchema, containerSchema, volumeSchema, networkSchema];
