/** Does something once whenever nothing has happened for a while. */
export class Idle {
  readonly #timer: NodeJS.Timeout;

  constructor(rest: () => void, milliseconds: number) {
    this.#timer = setTimeout(rest, milliseconds).unref();
  }

  /** Something happens: the while begins anew. */
  happens(): void {
    this.#timer.refresh();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
