/** The answer to a build whose outputs the client takes: frames of lines and of archives. */
export const buildFramesType = "application/vnd.berth.build-frames";

/** A frame begins with its channel (one byte), three zeros and the length of what follows (big-endian). */
export const frameHeader = 8;

/** The channel of the lines that tell of the build. */
export const lineChannel = 0;

/** The channel of an output's archive, by its place. */
export const outputChannel = (place: number): number => place + 1;

/** A frame's header. */
export function buildFrame(channel: number, length: number): Buffer {
  const header = Buffer.alloc(frameHeader);
  header.writeUInt8(channel, 0);
  header.writeUInt32BE(length, 4);
  return header;
}

/** Takes frames apart as they come; a frame of no bytes ends its channel. */
export async function* readBuildFrames(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<{ channel: number; data: Buffer }> {
  let rest: Buffer = Buffer.alloc(0);
  let channel = 0;
  let left = 0;
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length > 0) {
      if (left === 0) {
        if (rest.length < frameHeader) break;
        channel = rest.readUInt8(0);
        left = rest.readUInt32BE(4);
        rest = rest.subarray(frameHeader);
        if (left === 0) yield { channel, data: Buffer.alloc(0) };
        continue;
      }
      const data = rest.subarray(0, left);
      left -= data.length;
      rest = rest.subarray(data.length);
      yield { channel, data };
    }
  }
}
