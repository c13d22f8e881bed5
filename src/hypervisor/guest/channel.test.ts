import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { GuestChannel, newToken } from "./channel.ts";
import { encodeFrame, encodeNumber, frameHeader, frameKind, nonceSize, windowSize } from "./frames.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-channel-"));
after(() => rmSync(directory, { recursive: true }));
const token = newToken();
const greetingSize = 1 + token.length + nonceSize;

interface Guest {
  socket: Socket;
  greeting: Buffer;
  frames: { stream: number; kind: number; payload: Buffer }[];
}

let count = 0;

/** A guest that does what `act` says when it is greeted, and on each frame what `onFrame` says. */
async function withGuest(
  options: {
    before?: Buffer;
    silent?: boolean;
    onFrame?(guest: Guest, frame: Guest["frames"][number]): void;
  },
  use: (open: (timeoutMs?: number) => Promise<GuestChannel>, guests: Guest[]) => Promise<void>,
): Promise<void> {
  const path = join(directory, `${count++}.sock`);
  const guests: Guest[] = [];
  const server: Server = createServer((socket) => {
    const guest: Guest = { socket, greeting: Buffer.alloc(0), frames: [] };
    guests.push(guest);
    let rest = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      if (guest.greeting.length === 0) {
        if (rest.length < greetingSize) return;
        guest.greeting = rest.subarray(0, greetingSize);
        rest = rest.subarray(greetingSize);
        if (options.silent) return;
        const nonce = guest.greeting.subarray(-nonceSize);
        socket.write(
          Buffer.concat([options.before ?? Buffer.alloc(0), encodeFrame(0, frameKind.hello, nonce)]),
        );
      }
      while (rest.length >= frameHeader && rest.length >= frameHeader + rest.readUInt32LE(0)) {
        const end = frameHeader + rest.readUInt32LE(0);
        const frame = {
          stream: rest.readUInt32LE(4),
          kind: rest.readUInt8(8),
          payload: Buffer.from(rest.subarray(frameHeader, end)),
        };
        rest = rest.subarray(end);
        guest.frames.push(frame);
        options.onFrame?.(guest, frame);
      }
    });
  });
  await new Promise<void>((done) => server.listen(path, done));
  const channels: GuestChannel[] = [];
  try {
    await use(async (timeoutMs = 5000) => {
      const channel = await GuestChannel.open(path, token, { timeoutMs });
      channels.push(channel);
      return channel;
    }, guests);
  } finally {
    for (const channel of channels) channel.close();
    for (const { socket } of guests) socket.destroy();
    server.close();
  }
}

async function ended(stream: Duplex): Promise<void> {
  stream.resume();
  while (!stream.destroyed) await sleep(5);
}

test("a connection begins with the token and passes over what an earlier one left", async () => {
  await withGuest({ before: Buffer.from("the rest of an old frame") }, async (open, guests) => {
    await open();
    assert.equal(guests[0]?.greeting.toString("latin1", 1, 1 + token.length), token);
  });
});

test("a guest that does not answer, or nonsense without end, ends the wait", async () => {
  await withGuest({ silent: true }, async (open) => {
    await assert.rejects(open(50), /did not answer within 0.05 s/);
  });
  await withGuest({ silent: true }, async (open, guests) => {
    const opening = open();
    const flood = setInterval(() => guests[0]?.socket.write(Buffer.alloc(64 << 10, 0x41)), 1);
    await assert.rejects(opening, /no answer to the greeting/);
    clearInterval(flood);
  });
});

test("streams carry both ways at once, and no more than the other side has room for", async () => {
  const bytes = Buffer.alloc(3 * windowSize, "0123456789");
  let received = 0;
  await withGuest(
    {
      onFrame({ socket }, { stream, kind, payload }) {
        if (kind !== frameKind.data) return;
        received += payload.length;
        assert.ok(received <= windowSize, "more than the guest gave leave for");
        socket.write(encodeFrame(stream, frameKind.data, payload));
        received -= payload.length;
        socket.write(encodeNumber(stream, frameKind.credit, payload.length));
      },
    },
    async (open) => {
      const stream = (await open()).connect("/run/echo.sock");
      stream.write(bytes);
      const parts: Buffer[] = [];
      let size = 0;
      for await (const part of stream) {
        parts.push(part);
        size += part.length;
        if (size === bytes.length) break;
      }
      assert.ok(Buffer.concat(parts).equals(bytes));
    },
  );
});

test("who does not read makes the guest wait", async () => {
  let credit = windowSize;
  await withGuest(
    {
      onFrame({ socket }, { stream, kind, payload }) {
        if (kind === frameKind.open)
          for (; credit > 0; credit -= 1024)
            socket.write(encodeFrame(stream, frameKind.data, Buffer.alloc(1024)));
        if (kind === frameKind.credit) credit += payload.readUInt32LE(0);
      },
    },
    async (open) => {
      const stream = (await open()).connect("");
      await sleep(50);
      assert.ok(credit < windowSize, "the guest got leave for what nobody has read");
      stream.resume();
      while (credit < windowSize - 64 * 1024) await sleep(5);
    },
  );
});

for (const [what, frame] of [
  ["data beyond what it has leave for", encodeFrame(1, frameKind.data, Buffer.alloc(1024))],
  ["leave for more than there can be", encodeNumber(1, frameKind.credit, windowSize)],
  ["leave for nothing", encodeNumber(1, frameKind.credit, 0)],
  ["data for a stream that is not open", encodeFrame(77, frameKind.data, Buffer.from("x"))],
] as const)
  test(`a guest that sends ${what} is hung up on`, async () => {
    await withGuest(
      {
        onFrame({ socket }, { kind }) {
          if (kind !== frameKind.open) return;
          const times = frame.readUInt32LE(0) === 1024 ? (2 * windowSize) / 1024 : 1;
          for (let time = 0; time < times; time++) socket.write(frame);
        },
      },
      async (open) => {
        const channel = await open();
        const stream = channel.connect("");
        // Nobody reads, so that no leave is given meanwhile.
        const reason = await channel.closed;
        assert.match(String(reason), /broke the protocol/);
        await ended(stream);
      },
    );
  });

test("the machine's end ends its streams", async () => {
  await withGuest({}, async (open, guests) => {
    const channel = await open();
    const stream = channel.connect("");
    const relayed = assert.rejects(channel.relay("/run/shims/main/shim.sock"), /errno 32/);
    guests[0]?.socket.destroy();
    await ended(stream);
    assert.match(String(await channel.closed), /closed its control channel|ECONNRESET/);
    await relayed;
    await assert.rejects(channel.relay("/x"), /closed/);
  });
});
