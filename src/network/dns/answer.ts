import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
} from "dns-packet";
import { formatAddress, parseAddress } from "../subnet.ts";

/** What is known of names, as seen by who asks. */
export interface Names {
  /** The addresses of both families that a name has for this client; undefined when it is no container's. */
  lookup(client: string, name: string): string[] | undefined;
  /** The names of an address; undefined when it is no container's. */
  reverse(client: string, address: string): string[] | undefined;
  /** Servers for all other questions; none where nothing may be asked outside. */
  upstream(client: string): string[];
}

/** Seconds; containers come and go. */
const TTL = 600;
const NXDOMAIN = 3;

/** The answer to a question about containers; null when it is to be asked outside. */
export function answer(names: Names, client: string, query: Packet): Packet | null {
  const [question] = query.questions ?? [];
  if (!question) return null;
  const { name, type } = question;
  const bare = name.replace(/\.$/, "");
  if (type === "PTR") {
    const address = addressOfPointer(bare);
    const found = address === null ? undefined : names.reverse(client, address);
    return found
      ? reply(
          query,
          found.map((data) => ({ name, type: "PTR", ttl: TTL, data })),
          0,
        )
      : null;
  }
  const found = names.lookup(client, bare);
  if (!found) return null;
  const wanted = found.filter((address) => type === (address.includes(":") ? "AAAA" : "A"));
  return reply(
    query,
    rotated(wanted).map((data) => ({ name, type: type === "AAAA" ? "AAAA" : "A", ttl: TTL, data })),
    0,
  );
}

/** That there is no such name, when nothing outside may be asked. */
export const nameError = (query: Packet): Packet => reply(query, [], NXDOMAIN);

function reply(query: Packet, answers: Answer[], code: number): Packet {
  const asked = (query.flags ?? 0) & RECURSION_DESIRED;
  return {
    id: query.id ?? 0,
    type: "response",
    flags: AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | asked | code,
    questions: query.questions ?? [],
    answers,
  };
}

let turn = 0;

/** Several addresses of a name come first in turn. */
function rotated(addresses: string[]): string[] {
  if (addresses.length < 2) return addresses;
  const first = turn++ % addresses.length;
  return [...addresses.slice(first), ...addresses.slice(0, first)];
}

/** "2.0.18.172.in-addr.arpa" and the like; null for what is no address. */
function addressOfPointer(name: string): string | null {
  const four = /^((?:\d{1,3}\.){4})in-addr\.arpa$/i.exec(name)?.[1];
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/i.exec(name)?.[1];
  const labels = (four ?? six ?? "").split(".").slice(0, -1).reverse();
  const text = four ? labels.join(".") : (labels.join("").match(/.{4}/g) ?? []).join(":");
  if (text === "") return null;
  try {
    return formatAddress(parseAddress(text));
  } catch {
    return null;
  }
}
