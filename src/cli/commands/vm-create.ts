import { resolve } from "node:path";
import { defineCommand, exactly } from "../command.ts";
import { checkLabel } from "../create/checks.ts";
import { toMap } from "../create/env.ts";
import { parsePorts } from "../create/ports.ts";
import { parseRestartPolicy } from "../create/restart.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";

/** Makes a virtual machine. */
export const command = defineCommand({
  usage: "[OPTIONS] NAME",
  summary: "Make a virtual machine with a system of its own, without starting it",
  flags: {
    cpus: { type: "uint", default: "1", help: "Number of processors" },
    disk: {
      type: "string",
      completes: "file",
      help: "Boot from a copy of this disk (qcow2, or raw with a boot sector)",
    },
    "disk-size": { type: "bytes", help: "Size of the disk", shownDefault: "10g, or that of the given disk" },
    image: { type: "string", completes: "image", help: "Boot the system that this image holds" },
    label: { type: "list", short: "l", check: checkLabel, help: "Set a label (KEY=VALUE)" },
    memory: { type: "bytes", short: "m", help: "Memory of the guest", shownDefault: "512m" },
    network: { type: "string", completes: "network", default: "bridge", help: "Network to be in, or none" },
    publish: { type: "list", short: "p", help: "Publish a port of the guest on the host" },
    restart: {
      type: "string",
      default: "no",
      help: "When to start it again: no, always, unless-stopped, on-failure[:N]",
    },
  },
  arity: exactly(1),
  async run(flags, { args: [name = ""], client }) {
    if ((flags.image === "") === (flags.disk === ""))
      throw new CliError("give either --image or --disk: what is the machine to boot?");
    const { Id } = await client.json<{ Id: string }>("POST", "/berth/machines", {
      query: { name },
      body: {
        Image: flags.image,
        Disk: flags.disk === "" ? "" : resolve(flags.disk),
        Memory: flags.memory,
        Cpus: flags.cpus,
        DiskSize: flags["disk-size"],
        RestartPolicy: parseRestartPolicy(flags.restart),
        Network: flags.network,
        PortBindings: parsePorts(flags.publish, []).bindings,
        Labels: toMap(flags.label),
      },
    });
    out(`${Id}\n`);
    return 0;
  },
});
