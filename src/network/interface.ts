import { invalid } from "../lib/errors.ts";
import type { Endpoint } from "./types.ts";

/** Options of an endpoint, as dockerd has them. */
const NAME = "com.docker.network.endpoint.ifname";
const SYSCTLS = "com.docker.network.endpoint.sysctls";
/** Of a network: how the names of its links inside containers begin. */
export const PREFIX = "com.docker.network.container_iface_prefix";

type Options = Readonly<Record<string, string>> | null | undefined;

/** What may be the name of a link (IFNAMSIZ, dev_valid_name of the kernel). */
export const isLinkName = (name: string): boolean =>
  /^[^\s/:]{1,15}$/.test(name) && Buffer.byteLength(name) <= 15 && name !== "." && name !== "..";

/** What is wrong with an endpoint's options, in dockerd's words. */
export function interfaceFaults(options: Options): string[] {
  const name = options?.[NAME];
  const named = name === undefined || (isLinkName(name) && name !== "lo");
  const unfit = splitSysctls(options)
    .filter((setting) => !/^[^.]+\.(ipv4|ipv6|mpls)\.[^.]+\.(IFNAME|ifname)\../.test(setting))
    .map(
      (setting) =>
        `unrecognised network interface sysctl '${setting}'; represent 'net.X.Y.ethN.Z=V' as ` +
        "'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'",
    );
  return named ? unfit : [`invalid interface name: ${name}`, ...unfit];
}

const splitSysctls = (options: Options): string[] => {
  const text = options?.[SYSCTLS];
  return text === undefined ? [] : text.split(",");
};

/** The name of a new link inside, where `others` are taken. Throws INVALID_PARAMETER. */
export function chooseLinkName(prefix: string, options: Options, others: readonly string[]): string {
  const wanted = options?.[NAME];
  if (wanted !== undefined) {
    if (others.includes(wanted)) throw invalid(`interface name ${wanted} is already in use in the container`);
    return wanted;
  }
  for (let number = 0; ; number++) if (!others.includes(`${prefix}${number}`)) return `${prefix}${number}`;
}

/** The switches that are asked for a link of this name, by their paths below /proc/sys. */
export function linkSysctls(options: Options, name: string): Endpoint["sysctls"] {
  const settings = splitSysctls(options).map((setting): [string, string] => {
    const [key = "", ...value] = setting.split("=");
    const [net, family, part, , ...rest] = key.split(".");
    return [[net, family, part, name, ...rest].join("/"), value.join("=")];
  });
  return settings.length > 0 ? Object.fromEntries(settings) : undefined;
}
