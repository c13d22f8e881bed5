import { renameSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { BerthError, invalid } from "../../lib/errors.ts";
import { type CdiDevice, cdiConfig } from "../cdi.ts";
import type { Command, Instruction } from "../dockerfile/instruction.ts";
import type { Heredoc } from "../dockerfile/statements.ts";
import { requireRunnable } from "../emulation.ts";
import type { StepContext, StepResult } from "../stage-build.ts";
import { proxyArguments } from "../stage-state.ts";
import { devicesOf } from "./devices.ts";
import {
  mountInputs,
  type PlannedMount,
  type PreparedMounts,
  planMounts,
  prepareMounts,
  removeMountPoints,
} from "./mounts.ts";
import { layerStep } from "./outcome.ts";

/** A RUN that failed. */
export class RunError extends BerthError {
  readonly exitCode: number;

  constructor(command: readonly string[], exitCode: number) {
    super("SYSTEM", `The command '${command.join(" ")}' returned a non-zero code: ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** RUN: a container over the stage's layers, whose writes become the next layer. */
export async function runStep(context: StepContext, run: Instruction & { kind: "run" }): StepResult {
  const { session, state } = context;
  checkEntitlements(run, session.request);
  const script = scriptOf(run.command, run.heredocs);
  const command = script ? [script.path] : commandOf(run.command, run.heredocs, state.shell);
  const mounts = await planMounts(context, run);
  const devices = devicesOf(context, run);
  const args = [...state.args].map(([name, value]) => `${name}=${value}`).sort();
  const network = run.network === "default" ? session.request.network || "default" : run.network;
  const prefix = args.length === 0 ? "" : `|${args.length} ${args.join(" ")} `;
  const { User, WorkingDir } = state.config;
  const inputs = {
    command,
    args,
    env: state.env,
    User,
    WorkingDir,
    network,
    mounts: mountInputs(mounts),
    script: script?.content,
    security: run.security,
    ...(devices.length > 0 ? { devices } : {}),
  };
  const createdBy = `RUN ${prefix}${script ? run.original : command.join(" ")}`;
  const isInsecure = run.security === "insecure";
  return layerStep(context, { kind: "run", createdBy, inputs }, (directory) =>
    runFor(context, { command, args, network, mounts, devices, script, isInsecure }, directory),
  );
}

interface Process {
  command: string[];
  args: string[];
  network: string;
  mounts: PlannedMount[];
  devices: CdiDevice[];
  script: Script | undefined;
  isInsecure: boolean;
}

/** Only what is not cached needs to run here. */
async function runFor(context: StepContext, process: Process, directory: string): Promise<void> {
  requireRunnable(context.state.origin);
  await execute(context, process, directory);
}

async function execute(context: StepContext, process: Process, directory: string): Promise<void> {
  const prepared = await prepareMounts(context, process.mounts, process.script);
  try {
    await runProcess(context, process, prepared, directory);
  } catch (error) {
    // A process that could not be started has no exit code that would be the build's.
    if (error instanceof BerthError && "exitCode" in error && !(error instanceof RunError))
      throw new BerthError(error.code, error.message, { cause: error });
    throw error;
  } finally {
    await prepared.release();
  }
}

async function runProcess(
  { session, state, info }: StepContext,
  { command, args, network, mounts, devices, isInsecure }: Process,
  prepared: PreparedMounts,
  directory: string,
): Promise<void> {
  const { request, images, emit } = session;
  const { origin, layers, config } = state;
  const cdi = cdiConfig(devices);
  const own = new Set(state.env.map((entry) => entry.split("=", 1)[0]));
  // A character may come in two parts.
  const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  const say = (stream: "stdout" | "stderr", text: string): void => {
    if (text !== "") emit({ kind: "output", step: info, stream, text });
  };
  const { exitCode } = await session.steps.run({
    image: {
      id: images.chainId(layers) || "scratch",
      // All of the configuration that counts here is asked for below.
      document: { ...origin, config: {}, rootfs: { type: "layers", diff_ids: [] } },
      platform: origin,
      layers: images.directories(layers),
    },
    layerIds: layers.map(({ id }) => id),
    config: {
      Cmd: command,
      Entrypoint: [],
      Env: [
        ...[...state.env, ...args, ...proxies(request.buildArgs)].filter(
          (entry, index) => index < state.env.length || !own.has(entry.split("=", 1)[0]),
        ),
        ...cdi.env,
      ],
      User: config.User,
      WorkingDir: config.WorkingDir,
      Hostname: request.buildArgs?.BUILDKIT_SANDBOX_HOSTNAME,
    },
    hostConfig: {
      ...request.hostConfig,
      NetworkMode: network,
      Mounts: [...prepared.mounts, ...cdi.mounts],
      ...(devices.length > 0 ? cdi.host : {}),
      ...(isInsecure ? { Privileged: true } : {}),
    },
    secretEnv: prepared.env,
    signal: session.signal,
    onCreate: (id) => emit({ kind: "container", step: info, id }),
    onOutput: (stream, data) => say(stream, decoders[stream].write(data)),
    take: (upper) => {
      removeMountPoints(upper, images.directories(layers), [
        ...mounts.map(({ target }) => target),
        ...cdi.mounts.map(({ Target = "" }) => Target),
        ...ownMountPoints,
      ]);
      renameSync(upper, `${directory}/fs`);
    },
  });
  for (const stream of ["stdout", "stderr"] as const) say(stream, decoders[stream].end());
  if (exitCode !== 0) throw new RunError(command, exitCode);
}

const proxies = (given: Readonly<Record<string, string | undefined>> = {}): string[] =>
  Object.entries(given).flatMap(([name, value]) =>
    proxyArguments.has(name) && value !== undefined ? [`${name}=${value}`] : [],
  );

/** What goes beyond a container's usual rights must have been allowed for the build. */
function checkEntitlements(
  { network, security }: Instruction & { kind: "run" },
  { allow = [], network: wanted }: StepContext["session"]["request"],
): void {
  if (security === "insecure" && !allow.includes("security.insecure"))
    throw invalid("security.insecure is not allowed: build with --allow security.insecure to allow it");
  if (network === "host" && wanted !== "host" && !allow.includes("network.host"))
    throw invalid("network.host is not allowed: build with --allow network.host to allow it");
}

/** Files of the engine's own that every container has mounted. */
const ownMountPoints = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"];

const onlyDocument = /^<<-?["']?[^\s"'<>]+["']?$/;

/** A document that says itself what runs it. */
export interface Script {
  /** Where the step sees it. */
  path: string;
  content: string;
}

export function scriptOf(command: Command, [document, ...others]: readonly Heredoc[]): Script | undefined {
  const isAlone = command.form === "shell" && onlyDocument.test(command.text) && others.length === 0;
  if (!isAlone || !document?.content.startsWith("#!") || document.name.includes("/")) return undefined;
  return { path: `/dev/pipes/${document.name}`, content: document.content };
}

/** The words that are executed. A document alone is the script itself, else it follows its line. */
export function commandOf(
  command: Command,
  heredocs: readonly Heredoc[],
  shell: readonly string[],
): string[] {
  if (command.form === "exec") return [...command.words];
  const [first] = heredocs;
  if (!first) return [...shell, command.text];
  if (heredocs.length === 1 && onlyDocument.test(command.text)) {
    return [...shell, first.content];
  }
  const documents = heredocs.map(({ name, content }) => `${content}${name}\n`).join("");
  return [...shell, `${command.text}\n${documents}`];
}
