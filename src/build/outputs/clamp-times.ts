const blockSize = 512;
const mtime = { start: 136, end: 148 };
const checksum = { start: 148, end: 156 };

const octal = (block: Buffer, start: number, end: number): number =>
  Number.parseInt(block.toString("latin1", start, end).replace(/[\0 ].*$/s, ""), 8) || 0;

/**
 * The archive of a layer that was sealed here, with nothing younger than `epoch`, in seconds since 1970. It
 * keeps its length: times are in the headers alone.
 */
export async function* clampTimes(archive: AsyncIterable<Buffer>, epoch: number): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let data = 0;
  for await (const chunk of archive) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length > 0) {
      if (data > 0) {
        const part = rest.subarray(0, data);
        data -= part.length;
        rest = rest.subarray(part.length);
        yield part;
        continue;
      }
      if (rest.length < blockSize) break;
      const header = Buffer.from(rest.subarray(0, blockSize));
      rest = rest.subarray(blockSize);
      const size = octal(header, 124, 136);
      data = Math.ceil(size / blockSize) * blockSize;
      if (octal(header, mtime.start, mtime.end) > epoch) setTime(header, epoch);
      yield header;
    }
  }
}

function setTime(header: Buffer, epoch: number): void {
  header.write(`${epoch.toString(8).padStart(11, "0")}\0`, mtime.start, "latin1");
  header.fill(" ", checksum.start, checksum.end);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, checksum.start, "latin1");
}
