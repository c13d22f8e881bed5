import type { Dockerfile, Instruction, Stage } from "../dockerfile/instruction.ts";
import type { Report } from "./rules.ts";

const reserved = new Set(["scratch", "context"]);
const onlyLast = new Set<Instruction["kind"]>(["cmd", "entrypoint", "healthcheck"]);

/** The checks of what stages are and hold. */
export function checkStages({ stages }: Dockerfile, report: Report): void {
  const names = new Set<string>();
  /** The stages that have an absolute working directory of their own, or from the stage below. */
  const placed = new Set<string>();
  for (const [index, stage] of stages.entries()) {
    const { name, location } = stage;
    if (name !== undefined) {
      if (names.has(name))
        report(
          "DuplicateStageName",
          location,
          `Duplicate stage name "${name}", stage names should be unique`,
        );
      if (reserved.has(name))
        report(
          "ReservedStageName",
          location,
          `Stage name should not use the same name as reserved stage "${name}"`,
        );
      names.add(name);
    }
    if (checkWorkdirs(stage, placed.has(stage.base.toLowerCase()), report)) {
      placed.add(name ?? String(index));
    }
    checkCommands(stage, report);
  }
}

/** Returns whether the stage has an absolute working directory in the end. */
function checkWorkdirs({ instructions }: Stage, hasOne: boolean, report: Report): boolean {
  let isSet = hasOne;
  for (const instruction of instructions) {
    if (instruction.kind !== "workdir") continue;
    if (/^["']?[/$]/.test(instruction.value)) isSet = true;
    else if (!isSet) {
      report(
        "WorkdirRelativePath",
        instruction.location,
        `Relative workdir "${instruction.value}" can have unexpected results if the base image changes`,
      );
    }
  }
  return isSet;
}

function checkCommands({ instructions }: Stage, report: Report): void {
  const seen = new Map<string, Instruction>();
  let hasShell = false;
  for (const instruction of instructions) {
    const { kind, location } = instruction;
    if (kind === "shell") hasShell = true;
    if ((kind === "cmd" || kind === "entrypoint") && instruction.command.form === "shell" && !hasShell) {
      report(
        "JSONArgsRecommended",
        location,
        `JSON arguments recommended for ${kind.toUpperCase()} to prevent unintended behavior related to OS signals`,
      );
    }
    if (!onlyLast.has(kind)) continue;
    const earlier = seen.get(kind);
    if (earlier)
      report(
        "MultipleInstructionsDisallowed",
        earlier.location,
        `Multiple ${kind.toUpperCase()} instructions should not be used in the same stage because only the last one will be used`,
      );
    seen.set(kind, instruction);
  }
}
