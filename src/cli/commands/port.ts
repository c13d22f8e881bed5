import type { ContainerInspectResponse } from "@docker/node-sdk";
import { between, defineCommand } from "../command.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";

/** Lists where a container's ports are published. */
export const command = defineCommand({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  summary: "List where a container's ports are published",
  aliases: ["container port", "port"],
  flags: {},
  arity: between(1, 2),
  completes: "container",
  async run(_flags, { args: [name = "", wanted], client }) {
    const path = `/containers/${encodeURIComponent(name)}/json`;
    const { NetworkSettings } = await client.json<ContainerInspectResponse>("GET", path);
    const ports = NetworkSettings?.Ports ?? {};
    const show = ({ HostIp = "", HostPort = "" }) =>
      `${HostIp.includes(":") ? `[${HostIp}]` : HostIp}:${HostPort}`;
    if (wanted !== undefined) {
      const [number = "", proto = "tcp"] = wanted.split("/");
      if (!/^\d+$/.test(number))
        throw new CliError(
          `Error: invalid port (${number}): strconv.ParseUint: parsing ${JSON.stringify(number)}: invalid syntax`,
        );
      const bindings = ports[`${number}/${proto}`];
      if (!bindings?.length) throw new CliError(`Error: No public port '${wanted}' published for ${name}`);
      out(bindings.map((binding) => `${show(binding)}\n`).join(""));
      return 0;
    }
    const lines = Object.entries(ports).flatMap(([port, bindings]) =>
      (bindings ?? []).map((binding) => ({ port, text: `${port} -> ${show(binding)}\n` })),
    );
    lines.sort(
      (a, b) => Number.parseInt(a.port, 10) - Number.parseInt(b.port, 10) || (a.port < b.port ? -1 : 1),
    );
    out(lines.map(({ text }) => text).join(""));
    return 0;
  },
});
