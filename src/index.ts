/**
 * Berth as a library: containers from a Node program, without a daemon.
 * @module
 */
export { Engine } from "./engine/engine.ts";
export type * from "./engine/types.ts";
export type * from "./image/types.ts";
export { BerthError, type ErrorCode } from "./lib/errors.ts";
export { createLogger, type Logger } from "./lib/log.ts";
