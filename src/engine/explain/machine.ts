import { readFileSync } from "node:fs";
import { option, plugArguments } from "../../hypervisor/devices.ts";
import { plugged } from "../../hypervisor/guest/machine.ts";
import { viewGuest } from "../../runtime/guest/runtime.ts";
import type { ContainerLaunch, PlanView } from "../../runtime/types.ts";
import type { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { guestLinks } from "../network/attach.ts";
import type { MachineExplanation } from "./types.ts";

/** How a container's process would be started in a virtual machine of its own: its sandbox, and the machine. */
export async function explainMachine(
  context: EngineContext,
  container: Container,
  launch: ContainerLaunch,
): Promise<{ sandbox: PlanView; machine: MachineExplanation }> {
  const links = (indices: readonly number[]) => guestLinks(context, container, indices);
  const { tools, machine, template, enclosed, inside } = context.machines.preview(container, launch, links);
  const { accelerator, kernel } = tools;
  return {
    sandbox: await context.runtime.explain(enclosed),
    machine: {
      memory: machine.memory,
      cpus: machine.cpus,
      kernel: kernel.version,
      accelerator: accelerator.name,
      type: accelerator.type,
      template: template?.name ?? null,
      plugged: machine.fromTemplate
        ? plugged(machine).map((device) => {
            const { driver = "", ...fields } = plugArguments(device);
            return option(driver, fields);
          })
        : [],
      ...programs(enclosed.spec.process.args),
      inside: (await viewGuest(inside, context.filters)).steps,
    },
  };
}

/** The supervisor's arguments are the command lines of two programs. */
function programs(args: readonly string[]): Pick<MachineExplanation, "hypervisor" | "fileServer"> {
  const between = args.indexOf("--");
  return { fileServer: args.slice(3, between), hypervisor: args.slice(between + 1) };
}

/** The command lines of what runs in the sandbox of a machine: its supervisor has started it. */
export function runningPrograms(supervisor: number): string[][] {
  const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, "latin1");
  return children
    .split(" ")
    .filter(Boolean)
    .map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1))
    .filter((words) => words.length > 0);
}
