import { Assembler } from "../../lib/bpf.ts";
import { KEY, MEMORY, TARGET } from "./entries.ts";

/** Offsets in struct bpf_sock_addr, and in the struct bpf_sock that it points to. */
const ADDRESS = { ip4: 4, ip6: [8, 12, 16, 20], port: 24, protocol: 36, socket: 64 } as const;
const SOCKET = { link: 0, ip4: 24, lastOfIp6: 40 } as const;
/** bpf-helpers(7). */
const HELPER = { mapLookup: 1, socketStorage: 107, namespaceCookie: 122 } as const;
const BPF_SK_STORAGE_GET_F_CREATE = 1;
const IPPROTO_TCP = 6;
/** The system call goes on. */
const GO_ON = 1;

/** Words of addresses as a program loads them: 127 is in the first byte, ::ffff:0:0 and ::1 have these words. */
const FIRST_BYTE = 0xff;
const LOOPBACK_BYTE = 127;
const MAPPED = 0xffff0000 | 0;
const ONE = 0x01000000;

const [result, first, second, third, fourth] = [0, 1, 2, 3, 4] as const;
const [context, word, port, socket, stack] = [6, 7, 8, 9, 10] as const;
const MEMORY_AT = -MEMORY.size;
const KEY_AT = MEMORY_AT - KEY.size;

/** Which map is which to the programs. */
const TARGETS = 0;
const MEMORIES = 1;

/**
 * The BPF_PROG_TYPE_CGROUP_SOCK_ADDR program of connect(2), for sockets of a version of IP. A connection to a
 * published port of the host's loopback gets the container's address and port in its place: what is then sent
 * is between the host and the container, and needs no translation. The socket remembers what was asked for.
 *
 * That is so for sockets of the network namespace with the cookie. A socket that has an address or a link of its
 * own already is left to the rules, which change that too.
 */
export function connectProgram(version: 4 | 6, cookie: bigint): Buffer {
  const program = new Assembler().move(context, first);
  if (version === 4) requireLoopback4(program, ADDRESS.ip4);
  else requireLoopback6(program);
  program.load(4, first, context, ADDRESS.protocol).jumpIf(first, "is not", IPPROTO_TCP, "pass");
  program.load(8, socket, context, ADDRESS.socket);
  for (const own of [version === 4 ? SOCKET.ip4 : SOCKET.lastOfIp6, SOCKET.link])
    program.load(4, first, socket, own).jumpIf(first, "is not", 0, "pass");
  program.move(first, context).call(HELPER.namespaceCookie).setWide(first, cookie);
  program.jumpIfRegister(result, "is not", first, "pass");
  program.load(4, port, context, ADDRESS.port);
  program.store(4, stack, KEY_AT + KEY.address, word).store(2, stack, KEY_AT + KEY.port, port);
  lookUp(program).jumpUnlessNull(result, "found");
  program.set(first, 0).store(4, stack, KEY_AT + KEY.address, first);
  lookUp(program).jumpIfNull(result, "pass");

  program.label("found");
  program.store(4, stack, MEMORY_AT + MEMORY.asked, word).store(4, stack, MEMORY_AT + MEMORY.askedPort, port);
  const put = (from: number, to: number): Assembler =>
    program.load(4, first, result, from).store(4, context, to, first);
  const words =
    version === 4 ? [[12, ADDRESS.ip4] as const] : ADDRESS.ip6.map((to, at) => [4 * at, to] as const);
  for (const [from, to] of words) put(TARGET.address + from, to);
  program.store(4, stack, MEMORY_AT + MEMORY.address, first);
  put(TARGET.port, ADDRESS.port).store(4, stack, MEMORY_AT + MEMORY.port, first);
  program.move(third, stack).addTo(third, MEMORY_AT);
  memoryOf(program, BPF_SK_STORAGE_GET_F_CREATE);
  return program.label("pass").set(result, GO_ON).exit().finish();
}

/** The program of getpeername(2), which says what a socket asked for. */
export function peerNameProgram(version: 4 | 6): Buffer {
  const program = new Assembler().move(context, first);
  program.load(8, socket, context, ADDRESS.socket).set(third, 0);
  memoryOf(program, 0).jumpIfNull(result, "pass");
  const last = version === 4 ? ADDRESS.ip4 : ADDRESS.ip6[3];
  // It may be connected to something else by now.
  for (const [own, now] of [
    [MEMORY.address, last],
    [MEMORY.port, ADDRESS.port],
  ] as const) {
    program.load(4, first, result, own).load(4, second, context, now);
    program.jumpIfRegister(first, "is not", second, "pass");
  }
  program.load(4, word, result, MEMORY.asked).store(4, context, last, word);
  program.load(4, first, result, MEMORY.askedPort).store(4, context, ADDRESS.port, first);
  if (version === 6) {
    program.jumpIf(word, "is not", ONE, "pass").set(first, 0);
    for (const at of ADDRESS.ip6.slice(0, 3)) program.store(4, context, at, first);
  }
  return program.label("pass").set(result, GO_ON).exit().finish();
}

function requireLoopback4(program: Assembler, at: number): void {
  program.load(4, word, context, at).move(first, word).and(first, FIRST_BYTE);
  program.jumpIf(first, "is not", LOOPBACK_BYTE, "pass").set(first, 4);
  program.store(2, stack, KEY_AT + KEY.version, first);
}

/** ::1, or one of 127.0.0.0/8 in IPv6's clothes. */
function requireLoopback6(program: Assembler): void {
  const [one, two, three, four] = ADDRESS.ip6;
  for (const at of [one, two]) program.load(4, first, context, at).jumpIf(first, "is not", 0, "pass");
  program.load(4, first, context, three).jumpIf(first, "is", 0, "IPv6");
  program.jumpIf(first, "is not", MAPPED, "pass");
  requireLoopback4(program, four);
  program.jump("loopback").label("IPv6");
  program.load(4, word, context, four).jumpIf(word, "is not", ONE, "pass").set(first, 6);
  program.store(2, stack, KEY_AT + KEY.version, first).label("loopback");
}

/** Where the key on the stack leads. */
const lookUp = (program: Assembler): Assembler =>
  program.map(first, TARGETS).move(second, stack).addTo(second, KEY_AT).call(HELPER.mapLookup);

/** The socket's memory; with the flag that makes it, of what the third argument points to. */
const memoryOf = (program: Assembler, flags: number): Assembler =>
  program.map(first, MEMORIES).move(second, socket).set(fourth, flags).call(HELPER.socketStorage);
