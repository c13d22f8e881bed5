import { BerthError, invalid, system } from "../lib/errors.ts";
import { linkIndex } from "./bridge.ts";
import { addDummy, addVlan } from "./netlink/route.ts";
import type { NetworkRecord } from "./types.ts";

const MODES: Record<string, readonly string[]> = {
  macvlan: ["bridge", "private", "vepa", "passthru"],
  ipvlan: ["l2", "l3", "l3s"],
};
const FLAGS = ["bridge", "private", "vepa"];

/** Whether containers of a network share a link of the host. */
export const sharesLink = ({ driver }: Pick<NetworkRecord, "driver">): boolean =>
  driver === "macvlan" || driver === "ipvlan";

/** Throws with dockerd's words for options that a macvlan or ipvlan cannot have. */
export function checkParentOptions(driver: string, options: Record<string, string>): void {
  const modes = MODES[driver];
  if (!modes) return;
  const mode = options[`${driver}_mode`];
  if (mode && !modes.includes(mode))
    throw system(
      `requested ${driver} mode '${mode}' is not valid, '${modes[0]}' mode is the ${driver} driver default`,
    );
  const flag = options.ipvlan_flag;
  if (driver === "ipvlan" && flag && !FLAGS.includes(flag))
    throw system(`requested ipvlan flag '${flag}' is not valid, 'bridge' flag is the ipvlan driver default`);
  const { parent = "" } = options;
  if (parent === "lo") throw system(`loopback interface is not a valid ${driver} parent link`);
  if (parent !== "" && linkIndex(parent) === undefined) vlanOf(parent);
}

/** Refuses a link that another network of the driver is on. */
export function checkParentUse(
  driver: string,
  options: Record<string, string>,
  networks: readonly NetworkRecord[],
): void {
  const { parent = "" } = options;
  const other = networks.find((network) => network.driver === driver && network.options.parent === parent);
  if (parent === "" || !other) return;
  throw system(`network ${other.name} is already using parent interface ${parent}`);
}

/** The name of the link that a network's containers are on. */
export const parentLink = ({ id, options }: NetworkRecord, tag: string): string =>
  options.parent || (tag === "" ? `dm-${id.slice(0, 12)}` : `dm-${tag}${id.slice(0, 8)}`);

/** The message that makes a network's missing parent: a link of its own, or the VLAN that the name says. */
export function newParent(network: NetworkRecord, tag: string): Buffer {
  const name = parentLink(network, tag);
  if (!network.options.parent) return addDummy(name);
  const { link, id } = vlanOf(name);
  const index = linkIndex(link);
  if (index === undefined)
    throw system(`failed to create ${name} vlan link: the parent link ${link} was not found on this host`);
  return addVlan(name, index, id);
}

/** What the kernel's refusal of `newParent` means. */
export function parentRefused({ driver, options }: NetworkRecord, errno: string, error: Error): BerthError {
  const { parent } = options;
  const reason = errno === "ENOTSUP" ? "operation not supported" : errno;
  const why = parent
    ? `failed to create ${parent} vlan link: ${reason}`
    : `a ${driver} without a parent needs a dummy link, which this kernel refused (${reason}): give a link of the host with -o parent=LINK`;
  return new BerthError("SYSTEM", why, { cause: error });
}

/** "eth0.10" taken apart; throws dockerd's words for what is no such name. */
function vlanOf(name: string): { link: string; id: number } {
  const [, link = "", digits = ""] = /^(.+)\.(\d+)$/.exec(name) ?? [];
  if (link === "") throw invalid(`invalid subinterface vlan name ${name}, example formatting is eth0.10`);
  const id = Number(digits);
  if (id < 1 || id > 4094) throw invalid(`vlan id must be between 1-4094, received: ${id}`);
  return { link, id };
}
