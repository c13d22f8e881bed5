import { BerthError, invalid } from "../lib/errors.ts";
import type { VolumeRequest } from "./types.ts";

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const knownOptions = new Set(["type", "o", "device", "size"]);

/** Refuses what the local driver cannot do, with dockerd's texts. */
export function checkRequest(name: string, request: VolumeRequest): void {
  const { driver } = request;
  if (driver && driver !== "local") {
    throw new BerthError(
      "NOT_FOUND",
      `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    );
  }
  if (name.length < 2) {
    throw invalid(
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    );
  }
  // A file name has 255 bytes at most.
  if (name.length > 255 || !namePattern.test(name)) {
    throw invalid(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
        "If you intended to pass a host directory, use absolute path",
    );
  }
  checkOptions(name, request.options ?? {});
}

function checkOptions(name: string, options: Record<string, string>): void {
  for (const option of Object.keys(options)) {
    if (!knownOptions.has(option)) throw invalid(`create ${name}: invalid option: "${option}"`);
  }
  if (options.size !== undefined) {
    throw invalid(`create ${name}: quota size requested but no quota support`);
  }
  if ((options.type || options.o) && !options.device) {
    throw invalid(`create ${name}: missing required option: "device"`);
  }
  if (options.device && !options.type && !/(^|,)r?bind(,|$)/.test(options.o ?? "")) {
    throw invalid(`create ${name}: missing required option: "type"`);
  }
}
