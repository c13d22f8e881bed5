import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { system } from "./errors.ts";

/**
 * The path of a file that came with this program, such as `bin/berth`. Looks beside this source and in the
 * directories above, so that it finds it from the sources and from a bundle. Throws when it is not there.
 */
export function ownFile(path: string): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const file = join(directory, path);
    if (existsSync(file)) return file;
    if (directory === dirname(directory)) throw system(`${path} is missing; run scripts/setup.sh`);
  }
}

/** The path of what native/ builds: one of Berth's own programs, or the archive of its own image. */
export const nativeFile = (name: string): string => ownFile(join("native", "build", name));
