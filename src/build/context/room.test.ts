import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { tarHeader } from "../../lib/tar/write.ts";
import { roomIn, TarMeter } from "./room.ts";

test("what an archive's files take in memory, in pieces of any size", () => {
  const archive = Buffer.concat(
    [0, 1, 5000, 512].flatMap((size, index) => [
      tarHeader({ name: `f${index}`, size }),
      Buffer.alloc(Math.ceil(size / 512) * 512, "x"),
    ]),
  );
  // A page for each file, and those of its content.
  const need = (4 + 0 + 1 + 2 + 1) * 4096;
  for (const step of [1, 100, 511, 512, 700, archive.length]) {
    const meter = new TarMeter();
    for (let at = 0; at < archive.length; at += step) meter.take(archive.subarray(at, at + step));
    assert.equal(meter.need, need, `in pieces of ${step}`);
  }
  const packed = new TarMeter();
  packed.take(gzipSync(archive));
  assert.equal(packed.need, Number.POSITIVE_INFINITY);
  assert.equal(roomIn("/proc"), 0);
});
