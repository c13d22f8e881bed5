import { isIP } from "node:net";
import { invalid } from "../lib/errors.ts";

/** dockerd's flags that say what the default network is. */
export const defaultBridgeFlags = {
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

const switches = ["--ipv6", "--icc", "--ip-masq"];

/** Gives flags that are on when they are there the value that says so. */
export const withValues = (argv: readonly string[]): string[] =>
  argv.map((argument) => (switches.includes(argument) ? `${argument}=true` : argument));

/** What they say; the engine checks it. */
export interface DefaultBridgeFlags {
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
  return {
    bip: values.bip,
    fixedCidr: values["fixed-cidr"],
    fixedCidrV6: values["fixed-cidr-v6"],
    defaultGateway: address(values, "default-gateway"),
    defaultGatewayV6: address(values, "default-gateway-v6"),
    mtu: mtu(values.mtu),
    ip: address(values, "ip"),
    ipv6: truth(values, "ipv6"),
    icc: truth(values, "icc"),
    ipMasq: truth(values, "ip-masq"),
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

function address(values: Values, name: keyof Values): string | undefined {
  const text = values[name];
  if (text !== undefined && isIP(text) === 0) throw unfit(name, text, "an IP address");
  return text;
}

const words: Record<string, boolean> = { true: true, false: false, "1": true, "0": false, t: true, f: false };

function truth(values: Values, name: keyof Values): boolean | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = words[text.toLowerCase()];
  if (value === undefined) throw unfit(name, text, "true or false");
  return value;
}

const unfit = (name: string, text: string, wanted: string) =>
  invalid(`invalid argument "${text}" for "--${name}" flag: it takes ${wanted}`);
