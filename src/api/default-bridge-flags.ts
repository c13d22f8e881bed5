import { invalid } from "../lib/errors.ts";
import { address, truth, unfit } from "./flag-values.ts";

/** dockerd's flags that say what the default network is. */
export const defaultBridgeFlags = {
  bridge: { type: "string", short: "b" },
  bip: { type: "string" },
  "fixed-cidr": { type: "string" },
  "fixed-cidr-v6": { type: "string" },
  "default-gateway": { type: "string" },
  "default-gateway-v6": { type: "string" },
  mtu: { type: "string" },
  ip: { type: "string" },
  // With a value or without: true or false.
  ipv6: { type: "string" },
  icc: { type: "string" },
  "ip-masq": { type: "string" },
} as const;

export const defaultBridgeSwitches = ["--ipv6", "--icc", "--ip-masq"];

/** What they say; the engine checks it. */
export interface DefaultBridgeFlags {
  bridge: string | undefined;
  bip: string | undefined;
  fixedCidr: string | undefined;
  fixedCidrV6: string | undefined;
  defaultGateway: string | undefined;
  defaultGatewayV6: string | undefined;
  mtu: number | undefined;
  ip: string | undefined;
  ipv6: boolean | undefined;
  icc: boolean | undefined;
  ipMasq: boolean | undefined;
}

type Values = { [name in keyof typeof defaultBridgeFlags]?: string | undefined };

/** Throws INVALID_PARAMETER. */
export function defaultBridge(values: Values): DefaultBridgeFlags {
  if (values.bridge && values.bip)
    throw invalid("You specified -b & --bip, mutually exclusive options. Please specify only one");
  return {
    // dockerd takes an empty name for none given.
    bridge: values.bridge || undefined,
    bip: values.bip,
    fixedCidr: values["fixed-cidr"],
    fixedCidrV6: values["fixed-cidr-v6"],
    defaultGateway: address("default-gateway", values["default-gateway"]),
    defaultGatewayV6: address("default-gateway-v6", values["default-gateway-v6"]),
    mtu: mtu(values.mtu),
    ip: address("ip", values.ip),
    ipv6: truth("ipv6", values.ipv6),
    icc: truth("icc", values.icc),
    ipMasq: truth("ip-masq", values["ip-masq"]),
  };
}

function mtu(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65535 || (number !== 0 && number < 68))
    throw unfit("mtu", text, "a number from 68 to 65535");
  // dockerd's word for its default.
  return number || undefined;
}
