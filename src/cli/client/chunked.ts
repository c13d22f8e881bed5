/**
 * Decodes a body in HTTP's chunked transfer coding (RFC 9112, 7.1), which begins with `data` and goes
 * on in `chunks`. Throws on a malformed or truncated body.
 */
export async function* decodeChunked(
  data: Buffer,
  chunks: AsyncIterator<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  let buffered = data;
  const more = async (): Promise<void> => {
    const next = await chunks.next();
    if (next.done) throw new Error("unexpected EOF");
    buffered = buffered.length === 0 ? next.value : Buffer.concat([buffered, next.value]);
  };
  const line = async (): Promise<string> => {
    for (;;) {
      const end = buffered.indexOf("\r\n");
      if (end >= 0) {
        const text = buffered.toString("latin1", 0, end);
        buffered = buffered.subarray(end + 2);
        return text;
      }
      if (buffered.length > 16384) throw new Error("malformed chunked encoding");
      await more();
    }
  };
  for (;;) {
    const size = /^([0-9a-fA-F]+)/.exec(await line())?.[1];
    if (size === undefined) throw new Error("malformed chunked encoding");
    let left = Number.parseInt(size, 16);
    if (left === 0) {
      // Trailers, which nothing here uses, up to the empty line.
      while ((await line()) !== "");
      return;
    }
    while (left > 0) {
      if (buffered.length === 0) await more();
      const part = buffered.subarray(0, left);
      buffered = buffered.subarray(part.length);
      left -= part.length;
      yield part;
    }
    if ((await line()) !== "") throw new Error("malformed chunked encoding");
  }
}
