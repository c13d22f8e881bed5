import { BerthError, type ErrorCode } from "../../lib/errors.ts";
import { isRecord } from "../document.ts";
import { type HttpAnswer, readBody } from "./http.ts";

/** What a registry said with an error status, in Docker's words: "code: message". */
export class RegistryError extends BerthError {
  readonly httpStatus: number;
  /** The registry's own code, such as MANIFEST_UNKNOWN; "" when it gave none. */
  readonly registryCode: string;

  constructor(status: number, registryCode: string, message: string) {
    super(codeOf(status), message);
    this.name = "RegistryError";
    this.httpStatus = status;
    this.registryCode = registryCode;
  }
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return "UNAUTHORIZED";
  if (status === 403) return "FORBIDDEN";
  if (status === 404) return "NOT_FOUND";
  return "SYSTEM";
}

/** What statuses mean that come without a registry's own words. */
const refusals = new Map([
  [401, { code: "UNAUTHORIZED", message: "unauthorized: authentication required" }],
  [403, { code: "DENIED", message: "denied: requested access to the resource is denied" }],
  [429, { code: "TOOMANYREQUESTS", message: "toomanyrequests: too many requests" }],
]);

/** Reads the body of a failed answer: https://github.com/opencontainers/distribution-spec, "Error Codes". */
export async function registryError(answer: HttpAnswer, what: string): Promise<RegistryError> {
  const text = (await readBody(answer, 64 * 1024)).toString("utf8");
  const [code, message] = firstError(text);
  if (code !== "") {
    const name = code.toLowerCase().replaceAll("_", " ");
    return new RegistryError(answer.status, code, `${name}: ${message || name}`);
  }
  const refusal = refusals.get(answer.status);
  if (refusal) return new RegistryError(answer.status, refusal.code, refusal.message);
  const words = text.trim().slice(0, 200);
  const said = words === "" ? "" : `: ${words}`;
  return new RegistryError(
    answer.status,
    "",
    `${what}: received unexpected HTTP status: ${answer.status}${said}`,
  );
}

function firstError(text: string): [code: string, message: string] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return ["", ""];
  }
  const errors = isRecord(value) && Array.isArray(value.errors) ? value.errors : [];
  const first: unknown = errors[0];
  if (!isRecord(first) || typeof first.code !== "string") return ["", ""];
  return [first.code, typeof first.message === "string" ? first.message : ""];
}
