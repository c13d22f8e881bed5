import { invalid } from "./errors.ts";

/** ctrl-p,ctrl-q */
export const defaultDetachKeys: readonly number[] = [16, 17];

const controls = new Map([
  ["@", 0],
  ["[", 27],
  ["\\", 28],
  ["]", 29],
  ["^", 30],
  ["_", 31],
]);

function keyByte(key: string): number | undefined {
  if (key.length === 1) return key.charCodeAt(0) < 128 ? key.charCodeAt(0) : undefined;
  const control = /^ctrl-(.)$/.exec(key)?.[1];
  if (control === undefined) return undefined;
  return /[a-z]/i.test(control) ? control.charCodeAt(0) & 31 : controls.get(control);
}

/**
 * The bytes of a detach sequence as Docker writes one: keys separated by commas, each a character or
 * `ctrl-` and a letter or one of @ [ \ ] ^ _. Throws INVALID_PARAMETER for anything else; `name` is what dockerd
 * calls them there.
 */
export function parseDetachKeys(text: string, name: "detach" | "escape" = "detach"): number[] {
  return text.split(",").map((key) => {
    const byte = keyByte(key);
    if (byte === undefined) throw invalid(`Invalid ${name} keys (${text}) provided`);
    return byte;
  });
}

/** Looks for a detach sequence in what is typed. A possible beginning of it is held back until the next key. */
export class DetachWatcher {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What of `data` is meant for the process, and whether the sequence is complete. */
  feed(data: Buffer): { send: Buffer; detached: boolean } {
    const quiet = this.#matched === 0 && this.#keys.length > 0 && !data.includes(this.#keys[0] ?? 0);
    if (quiet) return { send: data, detached: false };
    const send: number[] = [];
    for (const byte of data) {
      if (byte !== this.#keys[this.#matched] && this.#matched > 0) {
        send.push(...this.#keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) {
        send.push(byte);
        continue;
      }
      this.#matched++;
      if (this.#matched === this.#keys.length) return { send: Buffer.from(send), detached: true };
    }
    return { send: Buffer.from(send), detached: false };
  }
}
