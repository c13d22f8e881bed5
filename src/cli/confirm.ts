import { fs } from "./builtin.ts";
import { out } from "./io/output.ts";

/** Asks on the terminal, or on stdin, whether to go on; only `y` or `Y` is a yes. */
export function confirm(question: string): boolean {
  out(`${question} [y/N] `);
  const bytes: number[] = [];
  const byte = Buffer.alloc(1);
  // One byte at a time, so that what follows the answer is left for whoever reads next.
  while (bytes.length < 1024 && fs.readSync(0, byte) === 1 && byte[0] !== 10) bytes.push(byte[0] ?? 0);
  return Buffer.from(bytes).toString().trim().toLowerCase() === "y";
}
