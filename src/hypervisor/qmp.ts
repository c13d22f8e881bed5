import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { BerthError, system } from "../lib/errors.ts";
import { connectSocket } from "../lib/unix-socket.ts";
import { isObject, JsonLines, type JsonObject } from "./json-lines.ts";

/** Bytes of one message beyond which a peer is no QEMU of ours. */
const messageLimit = 4 << 20;

/** Milliseconds. */
const defaultTimeout = 10_000;

export interface QmpEvent {
  name: string;
  data: JsonObject;
}

/** QEMU refused a command. `kind` is its word for why, such as "GenericError". */
export class QmpError extends BerthError {
  readonly kind: string;
  constructor(command: string, kind: string, text: string) {
    super("SYSTEM", `the hypervisor refused ${command}: ${text}`);
    this.kind = kind;
  }
}

export interface QmpOptions {
  /** Milliseconds until QEMU must have greeted; 10,000 by default. */
  timeout?: number;
  /** Gives up waiting for the socket. */
  signal?: AbortSignal;
  onEvent?(event: QmpEvent): void;
  /** The connection has ended, by whomever. */
  onClose?(): void;
}

interface Waiting {
  command: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/**
 * A connection to QEMU's control protocol. QEMU serves one at a time on a socket; the next waits.
 *
 * @example
 * const qmp = await Qmp.connect("/run/berth/machines/one/control.sock");
 * const status = await qmp.execute("query-status");
 */
export class Qmp {
  readonly #socket: Socket;
  readonly #options: QmpOptions;
  readonly #lines = new JsonLines(messageLimit);
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  #closed: Error | null = null;
  /** Waits for the greeting. */
  #greeted: { resolve(): void; reject(error: Error): void } | null = null;

  private constructor(socket: Socket, options: QmpOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", (chunk: Buffer) => {
      const wrong = this.#closed ? null : this.#lines.push(chunk, (message) => this.#message(message));
      if (wrong) this.#end(system(`the hypervisor's control socket sent ${wrong}`));
    });
    socket.on("error", ({ message }) =>
      this.#end(system(`the hypervisor's control socket failed: ${message}`)),
    );
    socket.on("close", () => this.#end(system("the hypervisor closed its control socket")));
  }

  /** Connects and negotiates. Waits for a socket that does not exist yet, until the timeout. */
  static async connect(path: string, options: QmpOptions = {}): Promise<Qmp> {
    const deadline = Date.now() + (options.timeout ?? defaultTimeout);
    const left = () => Math.max(1, deadline - Date.now());
    const qmp = new Qmp(await dial(path, deadline, options.signal), options);
    try {
      await qmp.#greeting(left());
      await qmp.execute("qmp_capabilities", {}, left());
      return qmp;
    } catch (error) {
      qmp.close();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#closed !== null;
  }

  /** Runs a command; rejects with QmpError when QEMU refuses it. `timeout` in milliseconds. */
  execute(command: string, args: JsonObject = {}, timeout = defaultTimeout): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#closed);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(silent(`answer ${command}`, timeout));
      }, timeout);
      this.#waiting.set(id, { command, resolve, reject, timer });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  /** Lets the process end although the connection is open. */
  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#end(system("the connection to the hypervisor was closed"));
  }

  #greeting(timeout: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(silent("greet on its control socket", timeout)), timeout);
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        this.#greeted = null;
        then();
      };
      this.#greeted = { resolve: () => settle(resolve), reject: (error) => settle(() => reject(error)) };
    });
  }

  #message(message: JsonObject): void {
    if ("QMP" in message) this.#greeted?.resolve();
    else if (typeof message.event === "string")
      this.#options.onEvent?.({ name: message.event, data: isObject(message.data) ? message.data : {} });
    else this.#answer(message);
  }

  #answer({ id, error, ...rest }: JsonObject): void {
    const waiting = typeof id === "number" ? this.#waiting.get(id) : undefined;
    // Else an answer nobody waits for any more.
    if (!waiting) return;
    this.#waiting.delete(Number(id));
    clearTimeout(waiting.timer);
    if (error === undefined) waiting.resolve(rest.return);
    else {
      const { class: kind = "GenericError", desc = "no reason given" } = isObject(error) ? error : {};
      waiting.reject(new QmpError(waiting.command, String(kind), String(desc)));
    }
  }

  #end(error: Error): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#socket.destroy();
    this.#greeted?.reject(error);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
    this.#options.onClose?.();
  }
}

const silent = (what: string, timeout: number): BerthError =>
  new BerthError("UNAVAILABLE", `the hypervisor did not ${what} within ${timeout} ms`);

const notYet = new Set(["ENOENT", "ECONNREFUSED"]);

async function dial(path: string, deadline: number, signal: AbortSignal | undefined): Promise<Socket> {
  for (;;) {
    try {
      return await connected(path);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      if (!notYet.has(code) || Date.now() >= deadline || signal?.aborted)
        throw new BerthError("UNAVAILABLE", `the hypervisor's control socket cannot be reached (${code})`, {
          cause: error,
        });
      await sleep(5);
    }
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
