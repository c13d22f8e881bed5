import { isIP } from "node:net";
import { invalid } from "../lib/errors.ts";
import { isLinkName, PREFIX } from "./interface.ts";
import type { NetworkRecord } from "./types.ts";

const BRIDGE = "com.docker.network.bridge";
const INHIBIT = `${BRIDGE}.inhibit_ipv4`;
const FAST_PATH = "berth.fastpath";
const MTU = "com.docker.network.driver.mtu";

const booleans = [
  `${BRIDGE}.enable_icc`,
  `${BRIDGE}.enable_ip_masquerade`,
  `${BRIDGE}.default_bridge`,
  INHIBIT,
  FAST_PATH,
];
const TRUE = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE = ["0", "f", "F", "FALSE", "false", "False"];
/** How a network's containers are reached from outside, and what addresses they have there. */
export type GatewayMode = "nat" | "nat-unprotected" | "routed";
const GATEWAY_MODES: readonly string[] = ["nat", "nat-unprotected", "routed"] satisfies GatewayMode[];

/** The options of a network in terms of what is done with them. */
export interface NetworkOptions {
  mtu: number | undefined;
  /** Containers of the network reach each other. */
  icc: boolean;
  /** Packets between them may go past the bridge. */
  fastPath: boolean;
  modes: Record<4 | 6, GatewayMode>;
  /** Whether packets that leave get the host's address. */
  masquerade: Record<4 | 6, boolean>;
  /** Which address of the host's that is; empty for that of the link they leave by. */
  source: Record<4 | 6, string>;
  /** The address that published ports are bound to unless they say; empty for all. */
  bindAddress: string;
  /** How the names of its links inside containers begin. */
  prefix: string;
}

const isTrue = (text: string | undefined, otherwise: boolean): boolean =>
  text === undefined ? otherwise : TRUE.includes(text);

export function networkOptions({ options }: Pick<NetworkRecord, "options">): NetworkOptions {
  const mode = (version: 4 | 6) => (options[gatewayMode(version)] as GatewayMode | undefined) ?? "nat";
  const masquerade = isTrue(options[`${BRIDGE}.enable_ip_masquerade`], true);
  return {
    mtu: options[MTU] ? Number(options[MTU]) : undefined,
    icc: isTrue(options[`${BRIDGE}.enable_icc`], true),
    fastPath: isTrue(options[FAST_PATH], true),
    modes: { 4: mode(4), 6: mode(6) },
    source: { 4: options[sourceOption(4)] ?? "", 6: options[sourceOption(6)] ?? "" },
    masquerade: { 4: masquerade && mode(4) !== "routed", 6: masquerade && mode(6) !== "routed" },
    bindAddress: options[`${BRIDGE}.host_binding_ipv4`] ?? "",
    prefix: options[PREFIX] || "eth",
  };
}

const sourceOption = (version: 4 | 6): string => `com.docker.network.host_ipv${version}`;
const gatewayMode = (version: 4 | 6): string => `${BRIDGE}.gateway_mode_ipv${version}`;

function checkGatewayMode(mode: string | undefined): void {
  if (mode === "isolated")
    throw invalid(
      "gateway mode isolated: a bridge has its address always, as names are served there; use --internal",
    );
  if (mode !== undefined && !GATEWAY_MODES.includes(mode)) throw invalid(`unknown gateway mode ${mode}`);
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
  for (const version of [4, 6] as const) {
    checkGatewayMode(options[gatewayMode(version)]);
    const name = sourceOption(version);
    if (options[name] && isIP(options[name]) !== version)
      throw invalid(
        `failed to parse ${name} value: ${JSON.stringify(options[name])} (no IPv${version} address)`,
      );
  }
  if (isTrue(options[INHIBIT], false))
    throw invalid(`${INHIBIT}: a bridge has its address always, as names are served there`);
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
