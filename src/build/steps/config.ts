import { exposedPorts } from "../../image/change.ts";
import { BerthError } from "../../lib/errors.ts";
import { FileWorkError } from "../../lib/file-worker.ts";
import { signalNumber } from "../../lib/signals.ts";
import { copyFiles } from "../context/files.ts";
import { ExpansionError, expandWords } from "../dockerfile/expand.ts";
import type { Command, Instruction } from "../dockerfile/instruction.ts";
import { DockerfileError } from "../dockerfile/location.ts";
import { expandAt, failedToProcess } from "../plan.ts";
import type { StepContext, StepResult } from "../stage-build.ts";
import { configurationStep, layerStep } from "./outcome.ts";

type Handler<K extends Instruction["kind"]> = (
  context: StepContext,
  instruction: Extract<Instruction, { kind: K }>,
) => StepResult;

const expand = ({ session, state }: StepContext, { location }: Instruction, text: string): string =>
  expandAt(location, text, state.lookup, session.plan.dockerfile.escapeToken);

function words({ session, state }: StepContext, { location }: Instruction, text: string): string[] {
  try {
    return expandWords(text, state.lookup, session.plan.dockerfile.escapeToken);
  } catch (error) {
    if (error instanceof ExpansionError) throw failedToProcess(location, text, error);
    throw error;
  }
}

export const argStep: Handler<"arg"> = (context, instruction) => {
  const { session, state } = context;
  const { buildArgs = {} } = session.request;
  const shown: string[] = [];
  for (const { name: written, value } of instruction.args) {
    const name = expand(context, instruction, written);
    const own = value === undefined ? undefined : expand(context, instruction, value);
    if (Object.hasOwn(buildArgs, name)) session.plan.consumed.add(name);
    const set = buildArgs[name] ?? own ?? session.plan.globals.get(name);
    if (set !== undefined) state.args.set(name, set);
    shown.push(value === undefined ? name : `${name}=${own}`);
  }
  return configurationStep(context, "arg", `ARG ${shown.join(" ")}`);
};

export const envStep: Handler<"env"> = (context, instruction) => {
  // All see the variables as they were before.
  const pairs = instruction.pairs.map(([name, value]) => [
    expand(context, instruction, name),
    expand(context, instruction, value),
  ]);
  for (const [name = "", value = ""] of pairs) context.state.setEnv(name, value);
  return configurationStep(context, "env", `ENV ${pairs.map((pair) => pair.join("=")).join(" ")}`);
};

export const labelStep: Handler<"label"> = (context, instruction) => {
  const pairs = instruction.pairs.map(([name, value]) => [
    expand(context, instruction, name),
    expand(context, instruction, value),
  ]);
  const { config } = context.state;
  config.Labels = { ...config.Labels, ...Object.fromEntries(pairs) };
  return configurationStep(context, "label", `LABEL ${pairs.map((pair) => pair.join("=")).join(" ")}`);
};

function fullCommand(command: Command, shell: readonly string[]): string[] {
  if (command.form === "exec") return command.words;
  return command.text === "" ? [...shell] : [...shell, command.text];
}

export const cmdStep: Handler<"cmd"> = (context, { command }) => {
  const { state } = context;
  state.config.Cmd = fullCommand(command, state.shell);
  state.cmdSet = true;
  return configurationStep(context, "cmd", `CMD ${JSON.stringify(state.config.Cmd)}`);
};

export const entrypointStep: Handler<"entrypoint"> = (context, { command }) => {
  const { state } = context;
  // Without words there is none any more.
  const isEmpty = command.form === "shell" && command.text === "";
  state.config.Entrypoint = isEmpty ? [] : fullCommand(command, state.shell);
  // The base's command was for the base's entrypoint.
  if (!state.cmdSet) delete state.config.Cmd;
  return configurationStep(context, "entrypoint", `ENTRYPOINT ${JSON.stringify(state.config.Entrypoint)}`);
};

export const shellStep: Handler<"shell"> = (context, instruction) => {
  context.state.config.Shell = instruction.words;
  return configurationStep(context, "shell", `SHELL ${JSON.stringify(instruction.words)}`);
};

export const exposeStep: Handler<"expose"> = (context, instruction) => {
  const { config } = context.state;
  const list = words(context, instruction, instruction.ports.join(" "));
  const ports = located(instruction, () => exposedPorts(list));
  config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
  return configurationStep(context, "expose", `EXPOSE ${list.join(" ")}`);
};

/** The places of volumes are there for later steps, as if a volume were. */
export const volumeStep: Handler<"volume"> = (context, instruction) => {
  const { session, state } = context;
  const { config } = state;
  const paths = instruction.paths.map((path) => expand(context, instruction, path));
  config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
  const places = paths.map((path) => state.absolute(path));
  const createdBy = `VOLUME ${JSON.stringify(paths)}`;
  return layerStep(context, { kind: "volume", createdBy, inputs: { places } }, async (directory) => {
    const lower = session.images.directories(state.layers);
    const source = { layers: session.images.directories([]) };
    for (const place of places) {
      try {
        await copyFiles(session.files, { lower, directory, source, orders: [["m", "", place]] });
      } catch (error) {
        // A file can be a volume's place too.
        if (!(error instanceof FileWorkError) || error.code !== "ENOTDIR") throw error;
      }
    }
  });
};

export const userStep: Handler<"user"> = (context, instruction) => {
  context.state.config.User = expand(context, instruction, instruction.value);
  return configurationStep(context, "user", `USER ${context.state.config.User}`);
};

export const stopsignalStep: Handler<"stopsignal"> = (context, instruction) => {
  const value = expand(context, instruction, instruction.value);
  located(instruction, () => signalNumber(value));
  context.state.config.StopSignal = value;
  return configurationStep(context, "stopsignal", `STOPSIGNAL ${value}`);
};

export const maintainerStep: Handler<"maintainer"> = (context, { value }) => {
  context.state.author = value;
  return configurationStep(context, "maintainer", `MAINTAINER ${value}`);
};

export const healthcheckStep: Handler<"healthcheck"> = (context, { config, original }) => {
  context.state.config.Healthcheck = config;
  return configurationStep(context, "healthcheck", original);
};

export const onbuildStep: Handler<"onbuild"> = (context, { trigger }) => {
  const { config } = context.state;
  config.OnBuild = [...(config.OnBuild ?? []), trigger];
  return configurationStep(context, "onbuild", `ONBUILD ${trigger}`);
};

function located<T>({ location }: Instruction, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof BerthError) throw new DockerfileError(error.message, location);
    throw error;
  }
}
