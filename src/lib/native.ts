import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { system } from "./errors.ts";

/**
 * The path of one of Berth's own native programs. Looks in `native/build` beside this source and in the
 * directories above, so that it finds them from the sources and from a bundle. Throws when it is not built.
 */
export function nativeProgram(name: string): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const file = join(directory, "native", "build", name);
    if (existsSync(file)) return file;
    if (directory === dirname(directory)) {
      throw system(`the native program ${name} is missing; run scripts/setup.sh to build it`);
    }
  }
}
