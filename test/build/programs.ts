import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";

/** This machine's programs and the libraries that they load, by their paths: for images without a network. */
export function programFiles(...programs: string[]): Record<string, Buffer> {
  const paths = new Set<string>();
  for (const program of programs) {
    paths.add(program);
    const said = execFileSync("ldd", [program], { encoding: "utf8" });
    for (const [, path = ""] of said.matchAll(/(\/[^\s()]+) \(0x/g)) paths.add(path);
  }
  return Object.fromEntries([...paths].map((path) => [path, readFileSync(realpathSync(path))]));
}
