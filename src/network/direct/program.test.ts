import assert from "node:assert/strict";
import { test } from "node:test";
import { execute, number, pointer, type Value } from "../../lib/bpf-testing.ts";
import { addressBytes, formatAddress, parseAddress } from "../subnet.ts";
import { directEntry } from "./entries.ts";
import { connectProgram, peerNameProgram } from "./program.ts";

const OWN = 0x1_0000_0003n;
const [TCP, UDP, MPTCP] = [6, 17, 262];

const entries = new Map(
  [
    ["0.0.0.0", 8080, "172.18.0.2", 80],
    ["127.0.0.5", 8081, "172.18.0.3", 81],
    ["::", 8080, "fd00::2", 80],
    ["::1", 8082, "fd00::3", 82],
  ].map(([hostIp, hostPort, target, containerPort]) => {
    const ports = { protocol: "tcp", hostIp: String(hostIp), count: 1 } as const;
    const numbers = { hostPort: Number(hostPort), containerPort: Number(containerPort) };
    const entry = directEntry({ ...ports, ...numbers }, String(target)) ?? assert.fail();
    return [entry.key.toString("hex"), entry.value];
  }),
);

/** A socket of a program: what it is bound to, and what the programs remember of it. */
class Socket {
  readonly version: 4 | 6;
  readonly bound: string;
  readonly link: number;
  memory: Buffer | undefined;

  constructor(version: 4 | 6, bound = "", link = 0) {
    this.version = version;
    this.link = link;
    this.bound = bound;
  }

  /** What connect(2) leads to, as "address port". */
  connect(address: string, port: number, { protocol = TCP, namespace = OWN } = {}): string {
    return this.#run(connectProgram(this.version, OWN), { address, port, protocol, namespace });
  }

  /** What getpeername(2) says when it is connected so. */
  peerName(address: string, port: number): string {
    return this.#run(peerNameProgram(this.version), { address, port, protocol: TCP, namespace: OWN });
  }

  #run(
    program: Buffer,
    given: { address: string; port: number; protocol: number; namespace: bigint },
  ): string {
    const context = Buffer.alloc(72);
    const at = this.version === 4 ? 4 : 8;
    context.set(addressBytes(parseAddress(given.address)), at);
    context.writeUInt16BE(given.port, 24);
    context.writeUInt32LE(given.protocol, 36);
    const socket = Buffer.alloc(80);
    socket.writeUInt32LE(this.link, 0);
    if (this.bound !== "") socket.set(addressBytes(parseAddress(this.bound)), this.version === 4 ? 24 : 28);
    const result = execute(program, {
      context,
      pointers: { 64: { memory: socket, at: 0 } },
      helpers: {
        1: (map, key) => {
          assert.equal(map, 0);
          const { memory, at: start } = pointer(key);
          const value = entries.get(memory.subarray(start, start + 8).toString("hex"));
          return value ? { memory: value, at: 0 } : 0;
        },
        107: (map, of, initial, flags) => {
          assert.deepEqual([map, pointer(of).memory], [1, socket]);
          return this.#remember(initial, number(flags) === 1);
        },
        122: () => given.namespace,
      },
    });
    assert.equal(result, 1, "the system call goes on");
    const bytes = context.subarray(at, at + (this.version === 4 ? 4 : 16));
    const value = BigInt(`0x${bytes.toString("hex")}`);
    return `${formatAddress({ version: this.version, value })} ${context.readUInt16BE(24)}`;
  }

  #remember(initial: Value | undefined, makes: boolean): Value {
    if (makes) {
      const { memory, at } = pointer(initial);
      this.memory ??= Buffer.from(memory.subarray(at, at + 16));
    }
    return this.memory ? { memory: this.memory, at: 0 } : 0;
  }
}

const mapped = (address: string): string =>
  formatAddress({ version: 6, value: 0xffff_0000_0000n + parseAddress(address).value });

test("connections to a published port begin at the container, and say what was asked for", () => {
  const cases: [4 | 6, string, number, string, number][] = [
    [4, "127.0.0.1", 8080, "172.18.0.2", 80],
    [4, "127.255.0.9", 8080, "172.18.0.2", 80],
    [4, "127.0.0.5", 8081, "172.18.0.3", 81],
    [6, mapped("127.0.0.1"), 8080, mapped("172.18.0.2"), 80],
    [6, mapped("127.0.0.5"), 8081, mapped("172.18.0.3"), 81],
    [6, "::1", 8080, "fd00::2", 80],
    [6, "::1", 8082, "fd00::3", 82],
  ];
  for (const [version, address, port, target, containerPort] of cases) {
    const socket = new Socket(version);
    assert.equal(socket.connect(address, port), `${target} ${containerPort}`);
    assert.equal(socket.peerName(target, containerPort), `${address} ${port}`);
  }
});

test("all others are as they were", () => {
  const untouched: [4 | 6, string, number][] = [
    [4, "127.0.0.1", 8081],
    [4, "127.0.0.1", 80],
    [4, "128.0.0.1", 8080],
    [4, "0.0.0.0", 8080],
    [4, "172.18.0.2", 80],
    [6, mapped("127.0.0.1"), 8082],
    [6, mapped("10.0.0.1"), 8080],
    [6, "::7f00:1", 8080],
    [6, "::1", 8081],
    [6, "::2", 8080],
    [6, "1::1", 8080],
    [6, "0:0:1::1", 8080],
    [6, "0:1::ffff:7f00:1", 8080],
    [6, "fd00::2", 80],
  ];
  for (const [version, address, port] of untouched) {
    const socket = new Socket(version);
    const same = `${formatAddress(parseAddress(address))} ${port}`;
    assert.equal(socket.connect(address, port), same);
    assert.equal(socket.memory, undefined);
    assert.equal(socket.peerName(address, port), same);
  }
});

test("so are those of other protocols and namespaces, and of sockets that have an address or a link", () => {
  const same = "127.0.0.1 8080";
  for (const protocol of [UDP, MPTCP])
    assert.equal(new Socket(4).connect("127.0.0.1", 8080, { protocol }), same);
  for (const namespace of [4n, 3n, 0x2_0000_0003n])
    assert.equal(new Socket(4).connect("127.0.0.1", 8080, { namespace }), same);
  assert.equal(new Socket(4, "", 1).connect("127.0.0.1", 8080), same);
  assert.equal(new Socket(4, "127.0.0.1").connect("127.0.0.1", 8080), same);
  assert.equal(new Socket(6, "::1").connect("::1", 8080), "::1 8080");
  const both = mapped("127.0.0.1");
  assert.equal(new Socket(6, both).connect(both, 8080), `${both} 8080`);
});

test("a socket that went elsewhere since says where it is", () => {
  const socket = new Socket(4);
  socket.connect("127.0.0.1", 8080);
  assert.equal(socket.peerName("10.0.0.1", 80), "10.0.0.1 80");
  assert.equal(socket.peerName("172.18.0.2", 81), "172.18.0.2 81");
});

test("what no program leads to", () => {
  const ports = { hostPort: 1, containerPort: 1, count: 1 };
  assert.equal(directEntry({ ...ports, protocol: "udp", hostIp: "0.0.0.0" }, "10.0.0.2"), undefined);
  assert.equal(directEntry({ ...ports, protocol: "tcp", hostIp: "10.0.0.1" }, "10.0.0.2"), undefined);
  assert.equal(directEntry({ ...ports, protocol: "tcp", hostIp: "fd00::1" }, "fd00::2"), undefined);
});
