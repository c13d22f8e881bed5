import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { test } from "node:test";
import {
  encodeFrame,
  encodeNumber,
  FrameDecoder,
  frameKind,
  nonceSize,
  ProtocolError,
  payloadLimit,
} from "./frames.ts";

const nonce = randomBytes(nonceSize);
const hello = encodeFrame(0, frameKind.hello, nonce);

function greeted(): FrameDecoder {
  const decoder = new FrameDecoder(nonce);
  assert.deepEqual([...decoder.push(hello)], []);
  assert.ok(decoder.greeted);
  return decoder;
}

test("frames come out as they went in, whatever the pieces", () => {
  const bytes = Buffer.concat([
    encodeFrame(1, frameKind.data, Buffer.from("one")),
    encodeNumber(7, frameKind.credit, 9),
    encodeFrame(1, frameKind.data, Buffer.alloc(payloadLimit, 1)),
    encodeNumber(1, frameKind.close, 0),
  ]);
  for (const size of [1, 2, 5, 4096, bytes.length]) {
    const decoder = greeted();
    const frames = [];
    for (let at = 0; at < bytes.length; at += size)
      for (const frame of decoder.push(bytes.subarray(at, at + size)))
        frames.push([frame.stream, frame.kind, frame.payload.length]);
    assert.deepEqual(frames, [
      [1, frameKind.data, 3],
      [7, frameKind.credit, 4],
      [1, frameKind.data, payloadLimit],
      [1, frameKind.close, 4],
    ]);
  }
});

test("what an earlier connection left is passed over, up to a bound", () => {
  const decoder = new FrameDecoder(nonce);
  const rest = Buffer.concat([encodeFrame(3, frameKind.data, Buffer.from("old")).subarray(5), hello]);
  for (const byte of rest) assert.deepEqual([...decoder.push(Buffer.from([byte]))], []);
  assert.ok(decoder.greeted);
  const silent = new FrameDecoder(nonce);
  assert.throws(() => {
    for (;;) for (const _ of silent.push(Buffer.alloc(64 << 10))) assert.fail();
  }, ProtocolError);
});

test("what no guest of ours sends is refused", () => {
  const oversize = encodeFrame(1, frameKind.data, Buffer.alloc(1));
  oversize.writeUInt32LE(payloadLimit + 1, 0);
  for (const frame of [
    oversize,
    encodeFrame(1, frameKind.data),
    encodeFrame(1, frameKind.credit, Buffer.alloc(3)),
    encodeFrame(1, frameKind.close),
    encodeFrame(1, frameKind.open, Buffer.from("/run")),
    hello,
  ])
    assert.throws(() => [...greeted().push(frame)], ProtocolError);
});

test("random bytes are frames or an error, and never more than a frame is kept", () => {
  for (let round = 0; round < 2000; round++) {
    const decoder = greeted();
    try {
      for (let piece = 0; piece < 50; piece++) {
        const bytes = randomBytes(randomInt(1, 200));
        // Small sizes and known kinds get further.
        if (bytes.length > 9 && round % 2 === 0) {
          bytes.writeUInt32LE(randomInt(0, 64), 0);
          bytes[8] = randomInt(1, 8);
        }
        for (const { payload } of decoder.push(bytes)) assert.ok(payload.length <= payloadLimit);
      }
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }
});
