/**
 * What went wrong, in the terms the Docker Engine API knows; each kind has one HTTP status.
 */
export const errorStatus = {
  INVALID_PARAMETER: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  NOT_MODIFIED: 304,
  TOO_LARGE: 413,
  UNAVAILABLE: 503,
  NOT_IMPLEMENTED: 501,
  SYSTEM: 500,
} as const;

export type ErrorCode = keyof typeof errorStatus;

/**
 * The one error type that crosses module borders. `message` is what the user reads: it says what is
 * wrong and what to do. Where dockerd has a text for the case, it is dockerd's.
 */
export class BerthError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "BerthError";
    this.code = code;
  }

  /** The HTTP status the API answers with. */
  get status(): number {
    return errorStatus[this.code];
  }
}

export const invalid = (message: string, cause?: unknown): BerthError =>
  new BerthError("INVALID_PARAMETER", message, { cause });
export const notFound = (message: string): BerthError => new BerthError("NOT_FOUND", message);
export const conflict = (message: string): BerthError => new BerthError("CONFLICT", message);
export const notModified = (message: string): BerthError => new BerthError("NOT_MODIFIED", message);
export const system = (message: string, cause?: unknown): BerthError =>
  new BerthError("SYSTEM", message, { cause });
