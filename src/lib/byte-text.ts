/**
 * Names of files are bytes and need not be UTF-8. As texts their other bytes are lone surrogates, U+DC80 to
 * U+DCFF, which no UTF-8 has: nothing is lost either way.
 */
export function toText(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (!text.includes("\ufffd") || Buffer.from(text).equals(bytes)) return text;
  let result = "";
  for (let at = 0; at < bytes.length; ) {
    const size = characterSize(bytes, at);
    result +=
      size === 0 ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0)) : bytes.toString("utf8", at, at + size);
    at += size || 1;
  }
  return result;
}

/** The bytes of such a text. */
export function toBytes(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    const isByte = character.length === 1 && code >= 0xdc80 && code <= 0xdcff;
    return isByte ? Buffer.from([code - 0xdc00]) : Buffer.from(character);
  });
  return Buffer.concat(parts);
}

/** How many bytes the character has that begins here; 0 for none of UTF-8. */
function characterSize(bytes: Buffer, at: number): number {
  for (let size = 1; size <= 4; size++) {
    const part = bytes.subarray(at, at + size);
    if (part.length === size && Buffer.from(part.toString("utf8")).equals(part)) return size;
  }
  return 0;
}
