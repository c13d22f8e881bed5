import { CliError } from "./errors.ts";

/** A single word has to be one of these: operating systems, then architectures. */
const known = new Set(
  (
    "aix android darwin dragonfly freebsd hurd illumos ios js linux macos nacl netbsd openbsd plan9 solaris windows zos " +
    "386 amd64 amd64p32 arm arm64 arm64be armbe loong64 mips mips64 mips64le mips64p32 mips64p32le mipsle ppc ppc64 " +
    "ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm i386 x86_64 aarch64 armhf armel"
  ).split(" "),
);

/** `os[/arch[/variant]]` as the API takes a platform in JSON. Throws `CliError`. */
export function platformJson(platform: string): string {
  const [os = "", architecture, variant] = checkPlatform(platform).split("/");
  return JSON.stringify({ architecture: architecture ?? "", os, variant });
}

/** Returns a platform that is well-formed. Throws `CliError`. */
export function checkPlatform(platform: string): string {
  if (/^\w+$/.test(platform) && !known.has(platform.toLowerCase()))
    throw new CliError(
      `${JSON.stringify(platform)}: unknown operating system or architecture: invalid argument`,
    );
  if (!/^[a-z0-9_.-]+(\/[a-z0-9_.-]+){0,2}$/i.test(platform))
    throw new CliError(`${JSON.stringify(platform)}: cannot parse platform specifier: invalid argument`);
  return platform;
}
