import { collectYoung } from "./garbage.ts";

/** Collected after so many bytes have passed: seldom enough to cost nothing, often enough to stay small. */
const interval = 4 * 2 ** 20;
let bytes = 0;

/**
 * To be told of bytes that go through this process in short-lived buffers. Their memory is outside of
 * V8's heap and does not move it to collect them: tens of megabytes would wait for a collection that the
 * few small objects around them bring about.
 */
export function passedThrough(size: number): void {
  bytes += size;
  if (bytes < interval) return;
  bytes = 0;
  collectYoung();
}
