import { execFileSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

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

/** The archive of a root filesystem with this machine's C compiler, linker and static C library. */
export function compilerRoot(file: string): void {
  const say = (...args: string[]): string => execFileSync("gcc", args, { encoding: "utf8" }).trim();
  const own = dirname(say("-print-libgcc-file-name"));
  const programs = ["cc1", "collect2", "as", "ld"].map((name) => say(`-print-prog-name=${name}`));
  const found = programs.map((path) => (path.includes("/") ? path : `/usr/bin/${path}`));
  const objects = [
    "crt1.o",
    "crti.o",
    "crtn.o",
    "libc.a",
    "libm.a",
    "libc.so",
    "libc_nonshared.a",
    "libm.so",
  ];
  const ours = [
    "crtbegin.o",
    "crtbeginT.o",
    "crtbeginS.o",
    "crtend.o",
    "crtendS.o",
    "libgcc.a",
    "libgcc_eh.a",
  ];
  const paths = [
    ...Object.keys(programFiles("/usr/bin/gcc", ...found)),
    ...objects.map((name) => realpathSync(say(`-print-file-name=${name}`))),
    ...ours.map((name) => join(own, name)),
    join(own, "include"),
    join(own, "liblto_plugin.so"),
    "/usr/include",
  ];
  execFileSync("tar", ["-chf", file, "--exclude=c++", "-T", "-"], {
    input: paths.map((path) => `${path.slice(1)}\n`).join(""),
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
}
