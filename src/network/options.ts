import { isIP } from "node:net";
import { invalid } from "../lib/errors.ts";
import { isLinkName, PREFIX } from "./interface.ts";
import type { NetworkRecord } from "./types.ts";

const BRIDGE = "com.docker.network.bridge";
const FAST_PATH = "berth.fastpath";
const MTU = "com.docker.network.driver.mtu";

const booleans = [
  `${BRIDGE}.enable_icc`,
  `${BRIDGE}.enable_ip_masquerade`,
  `${BRIDGE}.default_bridge`,
  FAST_PATH,
];
const TRUE = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE = ["0", "f", "F", "FALSE", "false", "False"];
const GATEWAY_MODES = ["nat", "nat-unprotected", "routed"];

/** The options of a network in terms of what is done with them. */
export interface NetworkOptions {
  mtu: number | undefined;
  /** Containers of the network reach each other. */
  icc: boolean;
  /** Packets between them may go past the bridge. */
  fastPath: boolean;
  masquerade: boolean;
  /** Containers are reached at their own addresses from outside. */
  routed: boolean;
  /** The address that published ports are bound to unless they say; empty for all. */
  bindAddress: string;
  /** How the names of its links inside containers begin. */
  prefix: string;
}

const isTrue = (text: string | undefined, otherwise: boolean): boolean =>
  text === undefined ? otherwise : TRUE.includes(text);

export function networkOptions({ options }: Pick<NetworkRecord, "options">): NetworkOptions {
  const mode = options[`${BRIDGE}.gateway_mode_ipv4`] ?? "nat";
  return {
    mtu: options[MTU] ? Number(options[MTU]) : undefined,
    icc: isTrue(options[`${BRIDGE}.enable_icc`], true),
    fastPath: isTrue(options[FAST_PATH], true),
    masquerade: mode !== "routed" && isTrue(options[`${BRIDGE}.enable_ip_masquerade`], true),
    routed: mode !== "nat",
    bindAddress: options[`${BRIDGE}.host_binding_ipv4`] ?? "",
    prefix: options[PREFIX] || "eth",
  };
}

/** The link name that the user chose for a bridge. */
export const bridgeName = (options: Record<string, string>): string => options[`${BRIDGE}.name`] ?? "";

/** Throws INVALID_PARAMETER for values that cannot be. Options nobody knows are kept, as by dockerd. */
export function checkOptions(options: Record<string, string>): void {
  for (const name of booleans) {
    const value = options[name];
    if (value !== undefined && !TRUE.includes(value) && !FALSE.includes(value)) {
      throw invalid(
        `failed to parse ${name} value: ${JSON.stringify(value)} (strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax)`,
      );
    }
  }
  const mtu = options[MTU];
  if (mtu !== undefined && !(/^\d+$/.test(mtu) && Number(mtu) >= 68 && Number(mtu) <= 65535)) {
    throw invalid(`failed to parse ${MTU} value: ${JSON.stringify(mtu)} (a number from 68 to 65535)`);
  }
  const address = options[`${BRIDGE}.host_binding_ipv4`];
  if (address && isIP(address) === 0)
    throw invalid(`failed to parse ${BRIDGE}.host_binding_ipv4 value: ${JSON.stringify(address)} (nil ip)`);
  const mode = options[`${BRIDGE}.gateway_mode_ipv4`];
  if (mode !== undefined && !GATEWAY_MODES.includes(mode)) throw invalid(`unknown gateway mode ${mode}`);
  const prefix = options[PREFIX];
  // A number follows it.
  if (prefix !== undefined && !isLinkName(`${prefix}000`))
    throw invalid(
      `invalid ${PREFIX} ${JSON.stringify(prefix)}: at most 12 characters without blanks, "/" and ":"`,
    );
  const name = bridgeName(options);
  if (name.length > 15 || /[\s/:]/.test(name) || name === "." || name === "..") {
    throw invalid(
      `invalid bridge name ${JSON.stringify(name)}: at most 15 characters without blanks, "/" and ":"`,
    );
  }
}
