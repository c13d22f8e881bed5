import { invalid } from "../lib/errors.ts";

/** The newest and the oldest version of the Docker Engine API that is spoken. */
export const maxApiVersion = "1.50";
export const minApiVersion = "1.24";

const newest = 50;
const oldest = 24;

/**
 * The minor number of a client's version ("1.43" is 43), by which handlers tell versions apart.
 * No version is the newest. Rejects what is not spoken, with dockerd's words.
 */
export function apiVersion(text: string | undefined): number {
  if (text === undefined) return newest;
  const [major = 0, minor = 0] = text.split(".").map(Number);
  if (major < 1 || (major === 1 && minor < oldest)) {
    throw invalid(
      `client version ${text} is too old. Minimum supported API version is ${minApiVersion}, ` +
        "please upgrade your client to a newer version",
    );
  }
  if (major > 1 || minor > newest) {
    throw invalid(`client version ${text} is too new. Maximum supported API version is ${maxApiVersion}`);
  }
  return minor;
}
