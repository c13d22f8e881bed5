import { RESOLVER } from "../links.ts";
import type { Loopback6 } from "../loopback6.ts";
import type { RuleElement } from "./elements.ts";

const SETS = ["bridges", "internal", "outward4", "outward6", "open4", "open6", "routed4", "routed6"];

/**
 * The whole of the rules as one transaction for nft(8): what was there under the table's name is
 * replaced, but for the administrator's own chain `user`, whose rules are given.
 *
 * `ports` is how the names of containers' links begin, `loopback` the way from `::1`.
 */
export function renderRules(
  table: string,
  ports: string,
  loopback: Loopback6,
  elements: readonly RuleElement[],
  userRules: readonly string[],
): string {
  const contents = (set: string): string => {
    const own = elements.filter((element) => element.set === set).map(({ text }) => text);
    return own.length > 0 ? `elements = { ${own.join(",\n")} }` : "";
  };
  const set = (name: string, type: string, interval = false): string =>
    `  set ${name} {\n    type ${type}\n    ${interval ? "flags interval" : ""}\n    ${contents(name)}\n  }`;
  const map = (name: string, type: string, interval = false): string =>
    `  map ${name} {\n    type ${type}\n    ${interval ? "flags interval" : ""}\n    ${contents(name)}\n  }`;
  return `
add table inet ${table}
delete table inet ${table}
add table bridge ${table}
delete table bridge ${table}
table inet ${table} {
${SETS.map((name) => set(name, "ifname")).join("\n")}
${set("hairpin", "ifname . ifname")}
${set("reach4", "ipv4_addr . inet_proto . inet_service")}
${set("reach6", "ipv6_addr . inet_proto . inet_service")}
${set("self4", "ipv4_addr . ipv4_addr")}
${set("self6", "ipv6_addr . ipv6_addr")}
${map("resolver", "ifname : ipv4_addr")}
${map("source4", "ifname : ipv4_addr")}
${map("source6", "ifname : ipv6_addr")}
${[4, 6].map((version) => portMaps(version, map)).join("\n")}
${set("loop6", "inet_proto . inet_service")}
${set("loop6_range", "inet_proto . inet_service", true)}
  chain user {
    ${userRules.join("\n    ")}
  }
${chains(loopback)}
}
table bridge ${table} {
${set("bound4", "ifname . ether_addr . ipv4_addr")}
${set("bound6", "ifname . ether_addr . ipv6_addr")}
  chain arrival {
    type filter hook prerouting priority -300; policy accept;
    iifname != "${ports}*" accept
    ether type ip iifname . ether saddr . ip saddr @bound4 accept
    ether type arp iifname . arp saddr ether . arp saddr ip @bound4 accept
    ether type ip6 iifname . ether saddr . ip6 saddr @bound6 accept
    ether type ip6 ip6 saddr :: icmpv6 type { nd-neighbor-solicit, mld2-listener-report } accept
    drop
  }
  chain departure {
    type filter hook postrouting priority -300; policy accept;
    oifname "${ports}*" ether type ip ip daddr 127.0.0.0/8 drop
  }
}
`;
}

function portMaps(version: number, map: (name: string, type: string, interval?: boolean) => string): string {
  const address = `ipv${version}_addr`;
  const port = "inet_proto . inet_service";
  return [
    map(`port${version}`, `${port} : ${address} . inet_service`),
    map(`port${version}_at`, `${address} . ${port} : ${address} . inet_service`),
    map(`range${version}`, `${address} . ${port} : ${address}`, true),
  ].join("\n");
}

const lead = (ip: "ip" | "ip6", version: 4 | 6): string => `
    meta l4proto { tcp, udp, sctp } dnat ${ip} to ${ip} daddr . meta l4proto . th dport map @port${version}_at
    meta l4proto { tcp, udp, sctp } dnat ${ip} to meta l4proto . th dport map @port${version}
    meta l4proto { tcp, udp, sctp } dnat ${ip} to ${ip} daddr . meta l4proto . th dport map @range${version}`;

/**
 * Packets to the host's own addresses are led to containers; those from the host's loopback get the
 * bridge's address, so that answers find back, with IPv6 by a way of its own (loopback6.ts); everybody else keeps theirs. Into a network comes only
 * what belongs to a connection that a published port or the network itself began. Where the host filters
 * bridged packets too (bridge-nf-call-iptables), those within a network have its bridge on both sides.
 * Links of containers take packets for loopback addresses, since answers of the name server have one: so
 * nothing but the host may send such packets to them. What most packets are not is asked first: every rule
 * costs each of them.
 */
const chains = ({ entry, exit, target, source }: Loopback6): string => `
  chain publish {${lead("ip", 4)}${lead("ip6", 6)}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr ${RESOLVER} meta l4proto { tcp, udp } th dport 53 dnat ip to iifname map @resolver
    fib daddr type local jump publish
    iifname "${exit}" ip6 daddr ${target} jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 goto loop
    fib daddr type local jump publish
  }
  chain loop {
    meta l4proto . th dport @loop6 dnat ip6 to ${target}
    meta l4proto . th dport @loop6_range dnat ip6 to ${target}
  }
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    ip saddr 127.0.0.0/8 iifname @bridges drop
    ip daddr 127.0.0.0/8 iifname @bridges jump asking
  }
  chain asking {
    ip daddr ${RESOLVER} meta l4proto { tcp, udp } th dport 53 accept
    drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "${entry}" drop
    oifname "${entry}" drop
    iifname "${exit}" oifname != @bridges drop
    oifname @bridges jump inward
    iifname @bridges jump outward
  }
  chain inward {
    jump user
    ct state established,related accept
    ct status dnat accept
    iifname . oifname @hairpin accept
    meta nfproto ipv4 oifname @open4 accept
    meta nfproto ipv6 oifname @open6 accept
    ip protocol icmp oifname @routed4 accept
    meta nfproto ipv6 meta l4proto ipv6-icmp oifname @routed6 accept
    meta l4proto { tcp, udp, sctp } ip daddr . meta l4proto . th dport @reach4 accept
    meta l4proto { tcp, udp, sctp } ip6 daddr . meta l4proto . th dport @reach6 accept
    drop
  }
  chain outward {
    jump user
    ct state established,related accept
    iifname @internal drop
    accept
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname @bridges ip saddr 127.0.0.0/8 masquerade
    oifname "${entry}" ip6 saddr ::1 snat ip6 to ${source}
    iifname . oifname @hairpin ct status dnat masquerade
    ip saddr . ip daddr @self4 masquerade
    ip6 saddr . ip6 daddr @self6 masquerade
    oifname @bridges return
    snat ip to iifname map @source4
    snat ip6 to iifname map @source6
    meta nfproto ipv4 iifname @outward4 masquerade
    meta nfproto ipv6 iifname @outward6 masquerade
  }`;
