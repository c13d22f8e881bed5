import { formatPlatform, platformDistance } from "../../image/platform.ts";
import type { Platform } from "../../image/types.ts";
import { BerthError } from "../../lib/errors.ts";
import { ignores } from "../../lib/ignore.ts";
import type { Dockerfile, Instruction } from "../dockerfile/instruction.ts";
import type { Location } from "../dockerfile/location.ts";
import { checkFroms } from "./from.ts";
import { type CheckOptions, readCheckOptions } from "./options.ts";
import { type Report, type Rule, rules, type Warning } from "./rules.ts";
import { checkStages } from "./stages.ts";
import { checkStatements } from "./statements.ts";
import { checkSecrets, checkVariables } from "./variables.ts";

/** Findings that end a build, because it was asked for. */
export class CheckError extends BerthError {
  constructor(warnings: readonly Warning[]) {
    const names = [...new Set(warnings.map(({ rule }) => rule))].sort();
    super("INVALID_PARAMETER", `lint violation found for rules: ${names.join(", ")}`);
  }
}

/** The build checks of one build. */
export class Checks {
  readonly warnings: Warning[] = [];
  readonly #dockerfile: Dockerfile;
  readonly #options: CheckOptions;
  readonly #onWarning: (warning: Warning) => void;

  /** `options` replace what the Dockerfile says in `# check=`. */
  constructor(
    dockerfile: Dockerfile,
    options: string | undefined,
    onWarning: (warning: Warning) => void = () => undefined,
  ) {
    this.#dockerfile = dockerfile;
    this.#onWarning = onWarning;
    this.#options = readCheckOptions(options ?? dockerfile.directives.check ?? "", { line: 1, column: 1 });
  }

  readonly #report: Report = (rule: Rule, location: Location, message: string): void => {
    if (this.#options.skips(rule) || (rules[rule] && !this.#options.wants(rule))) return;
    const warning = { rule, message, location };
    this.warnings.push(warning);
    this.#onWarning(warning);
  };

  /** All that the text alone shows. `globals` is what FROM sees, `predefined` what of it every build has. */
  text(globals: ReadonlyMap<string, string>, predefined: ReadonlyMap<string, string>): void {
    const { statements, stages, metaArgs, escapeToken } = this.#dockerfile;
    checkStatements(statements, escapeToken, this.#report);
    checkStages(this.#dockerfile, this.#report);
    checkFroms(this.#dockerfile, globals, predefined, this.#report);
    checkSecrets(metaArgs, this.#report);
    for (const { instructions } of stages) checkSecrets(instructions, this.#report);
  }

  /** A stage's variables; returns those that a stage upon it has. */
  variables(instructions: readonly Instruction[], known: Iterable<string>): Set<string> {
    const names = new Set(known);
    checkVariables(instructions, names, this.#dockerfile.escapeToken, this.#report);
    return names;
  }

  /** What instructions copy from a context that leaves it out. */
  ignored(instructions: readonly Instruction[], patterns: readonly string[]): void {
    if (patterns.length === 0) return;
    const isIgnored = ignores(patterns);
    for (const instruction of instructions) {
      if (instruction.kind !== "copy" && instruction.kind !== "add") continue;
      if (instruction.kind === "copy" && instruction.from !== undefined) continue;
      for (const source of instruction.sources) {
        const path = source.replace(/^(?:\.?\/+)+/, "").replace(/\/+$/, "");
        if (/^<<|[$*?[]/.test(source) || path === "" || path === "." || !isIgnored(`/${path}`)) continue;
        const name = instruction.kind === "copy" ? "Copy" : "Add";
        this.#report(
          "CopyIgnoredFile",
          instruction.location,
          `Attempting to ${name} file "${source}" that is excluded by .dockerignore`,
        );
      }
    }
  }

  /** An image that is not for the platform that a stage is for. */
  basePlatform(image: string, found: Platform, wanted: Platform, location: Location): void {
    if (platformDistance(wanted, found) !== null) return;
    const [is, expected] = [found, wanted].map((platform) => JSON.stringify(formatPlatform(platform)));
    this.#report(
      "InvalidBaseImagePlatform",
      location,
      `Base image ${image} was pulled with platform ${is}, expected ${expected} for current build`,
    );
  }

  /** Throws `CheckError` when findings are errors and there are some. */
  settle(): void {
    if (this.#options.error && this.warnings.length > 0) throw new CheckError(this.warnings);
  }
}
