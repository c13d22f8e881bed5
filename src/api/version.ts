import { newestApi, oldestApi } from "../lib/api-version.ts";
import { invalid } from "../lib/errors.ts";

const newest = Number(newestApi.split(".")[1]);
const oldest = Number(oldestApi.split(".")[1]);

/**
 * The minor number of a client's version ("1.43" is 43), by which handlers tell versions apart.
 * No version is the newest. Rejects what is not spoken, with dockerd's words.
 */
export function apiVersion(text: string | undefined): number {
  if (text === undefined) return newest;
  const [major = 0, minor = 0] = text.split(".").map(Number);
  if (major < 1 || (major === 1 && minor < oldest)) {
    throw invalid(
      `client version ${text} is too old. Minimum supported API version is ${oldestApi}, ` +
        "please upgrade your client to a newer version",
    );
  }
  if (major > 1 || minor > newest) {
    throw invalid(`client version ${text} is too new. Maximum supported API version is ${newestApi}`);
  }
  return minor;
}
