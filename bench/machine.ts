import { cpus, loadavg, release, totalmem } from "node:os";
import { find, firstLine } from "./command.ts";

/** One line about the processor, memory and kernel. */
export function describeMachine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? "unknown processor";
  return `${processors.length} × ${model}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}`;
}

/** How busy the machine was with this and anything else, over the last minutes. */
export function describeLoad(): string {
  return `load average at the end ${loadavg()
    .map((load) => load.toFixed(1))
    .join(", ")}`;
}

/** Versions of the programs beside the engines. */
export function describeTools(): string[] {
  const docker = find("docker");
  return [`Node ${process.versions.node}`, ...(docker ? [firstLine(docker, "--version") ?? ""] : [])];
}
