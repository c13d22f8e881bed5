import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { system } from "../../lib/errors.ts";
import { nativeFile } from "../../lib/own-file.ts";
import type { Seccomp, SeccompRule } from "../oci.ts";
import { compact } from "./compact.ts";
import { newSyscalls } from "./new-syscalls.ts";
import { actionNumber, architectureName, comparisonNumber, flagBits } from "./words.ts";

/** What seccomp(2) is given. */
export interface SeccompFilter {
  /** struct sock_filter array. */
  program: Buffer;
  /** SECCOMP_FILTER_FLAG_ bits. */
  flags: number;
}

const instructionSize = 8;
/** BPF_MAXINSNS: the kernel takes no longer program. */
const maxInstructions = 4096;

/** A rule's conditions as they have to be given: several on one argument are alternatives, not all at once. */
function alternatives(rule: SeccompRule): string[] {
  const conditions = (rule.args ?? []).map(
    ({ index, op, value, valueTwo }) => ` ${index} ${comparisonNumber(op)} ${value} ${valueTwo ?? 0}`,
  );
  const indexes = new Set((rule.args ?? []).map(({ index }) => index));
  return indexes.size === conditions.length ? [conditions.join("")] : conditions;
}

/** The lines that native/seccomp-compile.c reads. */
export function compilerInput(seccomp: Seccomp): string {
  const lines = [`default ${actionNumber(seccomp.defaultAction, seccomp.defaultErrnoRet)}`];
  for (const name of seccomp.architectures ?? []) lines.push(`arch ${architectureName(name)}`);
  for (const rule of seccomp.syscalls ?? []) {
    const action = actionNumber(rule.action, rule.errnoRet);
    for (const name of rule.names)
      for (const conditions of alternatives(rule))
        lines.push(`rule ${action} ${name} ${newSyscalls[name] ?? -1}${conditions}`);
  }
  return `${lines.join("\n")}\n`;
}

function run(program: string, input: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, { stdio: ["pipe", "pipe", "pipe"] });
    const output: Buffer[] = [];
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.on("error", (error) => reject(system(`cannot run ${program}: ${error.message}`, error)));
    child.on("close", (code) =>
      code === 0
        ? resolve(Buffer.concat(output))
        : reject(system(`cannot compile the seccomp profile: ${complaint.trim() || `exit code ${code}`}`)),
    );
    // A compiler that fails early says why on stderr; the broken pipe adds nothing.
    child.stdin.on("error", () => child.stdin.destroy());
    child.stdin.end(input);
  });
}

const isProgram = (bytes: Buffer): boolean =>
  bytes.length > 0 &&
  bytes.length % instructionSize === 0 &&
  bytes.length <= maxInstructions * instructionSize;

/**
 * Turns profiles into filters by libseccomp, once for each distinct profile: afterwards they come
 * from memory, or after a restart from files below `directory`, which only the owner may write.
 */
export class SeccompCompiler {
  readonly #directory: string;
  readonly #program: () => string;
  readonly #known = new WeakMap<Seccomp, Promise<SeccompFilter>>();
  readonly #filters = new Map<string, Promise<SeccompFilter>>();
  #stamp: Promise<string> | undefined;

  constructor(directory: string, program?: string) {
    this.#directory = directory;
    this.#program = () => program ?? nativeFile("berth-seccomp");
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** The filter for a resolved profile. Rejects when libseccomp cannot make one. */
  compile(seccomp: Seccomp): Promise<SeccompFilter> {
    const known = this.#known.get(seccomp);
    if (known) return known;
    const key = JSON.stringify(seccomp);
    const filter = this.#filters.get(key) ?? this.#make(seccomp);
    this.#filters.set(key, filter);
    this.#known.set(seccomp, filter);
    filter.catch(() => {
      this.#filters.delete(key);
      this.#known.delete(seccomp);
    });
    return filter;
  }

  async #make(seccomp: Seccomp): Promise<SeccompFilter> {
    return { program: await this.#load(compilerInput(seccomp)), flags: flagBits(seccomp.flags) };
  }

  async #load(input: string): Promise<Buffer> {
    // Another build of the compiler may know more calls, so its files are its own.
    this.#stamp ??= stat(this.#program()).then(({ size, mtimeMs }) => `${size} ${mtimeMs}`);
    const digest = createHash("sha256")
      .update(`compact\n${await this.#stamp}\n${input}`)
      .digest("hex");
    const file = join(this.#directory, `${digest}.bpf`);
    const cached = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return Buffer.alloc(0);
      throw error;
    });
    if (isProgram(cached)) return cached;
    const written = await run(this.#program(), input);
    const program = compact(written);
    if (!isProgram(program))
      throw system(
        `the seccomp profile makes a filter of ${program.length / instructionSize} instructions; the kernel takes at most ${maxInstructions}`,
      );
    const temporary = `${file}.${randomUUID()}`;
    try {
      await writeFile(temporary, program, { mode: 0o600 });
      await rename(temporary, file);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    return program;
  }
}
