import type { Duplex } from "node:stream";
import { conflict, system } from "../../lib/errors.ts";
import { attach, endedAttachment } from "../shim/attachment.ts";
import {
  type ConnectionEvents,
  requests,
  ShimConnection,
  ShimRequestError,
  signalPayload,
  sizePayload,
} from "../shim/connection.ts";
import { parseExit } from "../shim/exit.ts";
import type { ExitStatus, Shim, ShimAttachment } from "../types.ts";

/** What a shim in a guest needs of the runtime that is the guest's. */
export interface GuestShimHost {
  connect(): Duplex;
  /** Removes its directory in the guest. */
  discard(): Promise<void>;
}

/** A process in a guest under its shim there. */
export class GuestShim implements Shim {
  readonly id: string;
  readonly pid: number;
  readonly startTime: number;
  readonly exited: Promise<ExitStatus>;
  readonly #host: GuestShimHost;
  readonly #oomListeners: (() => void)[] = [];
  readonly #settle = Promise.withResolvers<ExitStatus>();
  #control: ShimConnection | undefined;
  #ended = false;

  constructor(id: string, pid: number, startTime: number, host: GuestShimHost) {
    this.id = id;
    this.pid = pid;
    this.startTime = startTime;
    this.#host = host;
    this.exited = this.#settle.promise;
    // Who never asks is not to be killed by an unhandled rejection.
    this.exited.catch(() => undefined);
  }

  /** The process has ended so. */
  end(status: ExitStatus): void {
    this.#ended = true;
    this.#settle.resolve(status);
    this.#control?.close();
  }

  /** Nobody will tell how it ended. */
  lost(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#settle.reject(system(why));
  }

  oom(): void {
    for (const listener of this.#oomListeners) listener();
  }

  #connection(): ShimConnection {
    this.#control ??= new ShimConnection(this.#host.connect(), {
      exit: (payload) => {
        if (payload.length >= exitSize) this.end(parseExit(payload));
      },
      oom: () => this.oom(),
      closed: () => {
        this.#control = undefined;
      },
    });
    return this.#control;
  }

  /** Listens on the shim's socket; for one whose launcher is another's. */
  watch(): void {
    this.#connection();
  }

  async #request(kind: number, payload: Buffer): Promise<void> {
    if (this.#ended) throw conflict(`process ${this.pid} has ended`);
    try {
      await this.#connection().request(kind, payload);
    } catch (error) {
      if (this.#ended) throw conflict(`process ${this.pid} has ended`);
      throw error;
    }
  }

  async attach(options: { stdin: boolean; stdout: boolean; stderr: boolean }): Promise<ShimAttachment> {
    try {
      const connect = async (events: ConnectionEvents) => new ShimConnection(this.#host.connect(), events);
      return await attach(connect, options);
    } catch (error) {
      if (this.#ended) return endedAttachment();
      throw error;
    }
  }

  async resize(size: { height: number; width: number }): Promise<void> {
    await this.#request(requests.resize, sizePayload(size));
  }

  async signal(signal: number): Promise<void> {
    try {
      await this.#request(requests.signal, signalPayload(signal));
    } catch (error) {
      // A process that ended meanwhile needs no signal any more.
      if (!(error instanceof ShimRequestError && error.code === "ESRCH") && !this.#ended) throw error;
    }
  }

  onOom(listener: () => void): void {
    this.#oomListeners.push(listener);
  }

  async dispose(): Promise<void> {
    await this.#host.discard();
  }
}

const exitSize = 20;
