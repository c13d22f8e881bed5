import { parseBytes } from "../../lib/bytes.ts";
import { invalid } from "../../lib/errors.ts";
import { expandTag } from "./tag.ts";

type Options = Record<string, string>;

/** Every driver has these. */
const COMMON = ["mode", "max-buffer-size", "max-size", "max-file", "compress"];
const JSON_FILE = ["labels", "labels-regex", "env", "env-regex", "tag"];
const TRUTH = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];

/** Throws INVALID_PARAMETER with dockerd's texts for log options that cannot be. */
export function checkLogOptions(driver: string, options: Options): void {
  if (!["json-file", "local", "none"].includes(driver)) {
    throw invalid(`logger: no log driver named '${driver}' is registered`);
  }
  if (driver === "none") return;
  checkMode(options);
  const known = driver === "json-file" ? [...COMMON, ...JSON_FILE] : COMMON;
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw invalid(
      driver === "json-file"
        ? `unknown log opt '${unknown}' for json-file log driver`
        : `unknown log opt '${unknown}' for log driver ${driver}`,
    );
  }
  try {
    checkFiles(options);
    for (const pattern of [options["labels-regex"], options["env-regex"]]) if (pattern) new RegExp(pattern);
  } catch (error) {
    throw invalid(
      `failed to initialize logging driver: ${error instanceof Error ? error.message : error}`,
      error,
    );
  }
  if (options.tag) expandTag(options.tag, { id: "", name: "", imageId: "", config: {} });
}

function checkMode({ mode = "", "max-buffer-size": buffer }: Options): void {
  if (!["", "blocking", "non-blocking"].includes(mode))
    throw invalid(`logger: logging mode not supported: ${mode}`);
  if (buffer === undefined) return;
  if (mode !== "non-blocking") {
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  try {
    parseBytes(buffer);
  } catch (error) {
    throw invalid(`error parsing option max-buffer-size: invalid size: '${buffer}'`, error);
  }
}

function checkFiles({ "max-size": size, "max-file": files, compress }: Options): void {
  if (size !== undefined && parseBytes(size) === 0) throw invalid("max-size must be a positive number");
  const count = Number(files ?? 1);
  if (!Number.isInteger(count))
    throw invalid(`strconv.Atoi: parsing ${JSON.stringify(files)}: invalid syntax`);
  if (count < 1) throw invalid("max-file cannot be less than 1");
  if (compress === undefined) return;
  if (!TRUTH.includes(compress)) {
    throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(compress)}: invalid syntax`);
  }
  if (/^[1tT]/.test(compress) && (count < 2 || size === undefined)) {
    throw invalid("compress cannot be true when max-file is less than 2 or max-size is not set");
  }
}
