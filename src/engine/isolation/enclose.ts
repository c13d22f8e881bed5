import { type ContainerMachine, type MachineTools, planMachine } from "../../hypervisor/guest/machine.ts";
import type { Template } from "../../hypervisor/template.ts";
import { containerSeccomp } from "../../runtime/seccomp/container.ts";
import { enclosedRootfs } from "../../runtime/spec/enclosure.ts";
import type { ContainerLaunch, GuestLaunch } from "../../runtime/types.ts";
import type { Container } from "../container.ts";
import { machineSize } from "./isolation.ts";
import { enclosureSpec, guestSpec, mountPoints, supervisorCapabilities } from "./specs.ts";

/** Files of a machine in its shim's directory. */
export const files = { log: "machine.log", control: "control.sock", monitor: "monitor.sock" } as const;
const rootTag = "root";

/** The hardware addresses of a container's links. */
export const macsOf = ({ record }: Container): string[] =>
  record.state.network?.endpoints.map(({ mac }) => mac) ?? [];

/** The machine of a container. */
export function machineOf(container: Container, token: string, template: Template | null): ContainerMachine {
  const { name, hostConfig } = container.record;
  return {
    name,
    ...machineSize(hostConfig),
    token,
    rootTag,
    rootfs: enclosedRootfs,
    macs: macsOf(container),
    ...(template ? { fromTemplate: template } : {}),
  };
}

/** The launch of its sandbox, in which the container's root is, too. */
export function enclose(
  tools: MachineTools,
  container: Container,
  launch: ContainerLaunch,
  machine: ContainerMachine,
  template: Template | null,
): ContainerLaunch {
  const { hostConfig, state } = container.record;
  const { args, tools: seen, links } = planMachine(tools, machine);
  const kvm = tools.accelerator.name === "kvm";
  const seccomp = containerSeccomp(undefined, supervisorCapabilities);
  return {
    ...launch,
    spec: enclosureSpec(launch.spec, hostConfig, { args, seccomp, kvm }),
    enclosure: {
      tools: seen,
      links,
      log: files.log,
      sockets: [files.control, files.monitor],
      saved: template ? [template.state, template.saved] : [],
      taps: state.network?.endpoints.map(({ link }) => link) ?? [],
      mountPoints: mountPoints(launch.spec),
    },
  };
}

/** The launch of the container's process in the guest. */
export const insideOf = (launch: ContainerLaunch, links: GuestLaunch["links"]): GuestLaunch => ({
  id: launch.id,
  spec: guestSpec(launch.spec),
  stdio: launch.stdio,
  init: launch.init,
  rootTag,
  links,
});
