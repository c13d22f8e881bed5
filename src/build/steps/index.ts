import type { Instruction } from "../dockerfile/instruction.ts";
import type { StepContext, StepResult } from "../stage-build.ts";
import {
  argStep,
  cmdStep,
  entrypointStep,
  envStep,
  exposeStep,
  healthcheckStep,
  labelStep,
  maintainerStep,
  onbuildStep,
  shellStep,
  stopsignalStep,
  userStep,
  volumeStep,
} from "./config.ts";
import { runStep } from "./run.ts";
import { transferStep } from "./transfer.ts";
import { workdirStep } from "./workdir.ts";

/** Does one instruction. */
export function doStep(context: StepContext, instruction: Instruction): StepResult {
  switch (instruction.kind) {
    case "add":
    case "copy":
      return transferStep(context, instruction);
    case "arg":
      return argStep(context, instruction);
    case "cmd":
      return cmdStep(context, instruction);
    case "entrypoint":
      return entrypointStep(context, instruction);
    case "env":
      return envStep(context, instruction);
    case "expose":
      return exposeStep(context, instruction);
    case "healthcheck":
      return healthcheckStep(context, instruction);
    case "label":
      return labelStep(context, instruction);
    case "maintainer":
      return maintainerStep(context, instruction);
    case "onbuild":
      return onbuildStep(context, instruction);
    case "run":
      return runStep(context, instruction);
    case "shell":
      return shellStep(context, instruction);
    case "stopsignal":
      return stopsignalStep(context, instruction);
    case "user":
      return userStep(context, instruction);
    case "volume":
      return volumeStep(context, instruction);
    case "workdir":
      return workdirStep(context, instruction);
  }
}
