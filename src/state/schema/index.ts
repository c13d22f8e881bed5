import type { Schema } from "../migrate.ts";
import { buildSchema } from "./build.ts";
import { containerSchema } from "./container.ts";
import { imageSchema } from "./image.ts";
import { networkSchema } from "./network.ts";
import { volumeSchema } from "./volume.ts";

/** Every domain's tables. */
export const schemas: readonly Schema[] = [
  imageSchema,
  containerSchema,
  volumeSchema,
  networkSchema,
  buildSchema,
];
