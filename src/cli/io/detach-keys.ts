const named: Record<string, number> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/** The bytes of a detach sequence as docker writes it: `ctrl-p,ctrl-q`, `ctrl-@`, `a`. Throws an Error. */
export function parseDetachKeys(text: string): number[] {
  return text.split(",").map((key) => {
    if (Buffer.byteLength(key) === 1) return key.charCodeAt(0);
    const control = /^ctrl-(.)$/.exec(key)?.[1]?.toLowerCase();
    if (control !== undefined) {
      if (/[a-z]/.test(control)) return control.charCodeAt(0) - 96;
      const code = named[control];
      if (code !== undefined) return code;
    }
    throw new Error(`Unknown character: '${key}'`);
  });
}

/** Finds a detach sequence in what is typed. What may be its beginning is held back until the next key tells. */
export class DetachWatcher {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What to send of `data`, and whether the sequence is complete. */
  feed(data: Buffer): { send: Buffer; detached: boolean } {
    const send: number[] = [];
    for (const byte of data) {
      if (byte !== this.#keys[this.#matched]) {
        send.push(...this.#keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { send: Buffer.from(send), detached: true };
      } else {
        send.push(byte);
      }
    }
    return { send: Buffer.from(send), detached: false };
  }
}
