import { join } from "node:path";
import { conflict, system } from "../../lib/errors.ts";
import type { ExitStatus, Shim, ShimAttachment } from "../types.ts";
import { attach, endedAttachment } from "./attachment.ts";
import { requests, ShimConnection, ShimRequestError, signalPayload, sizePayload } from "./connection.ts";
import { removeDirectory } from "./directory.ts";
import { parseExit, readExit } from "./exit.ts";

/** A process under its shim, told of by the launcher's channel or by the shim's own socket. */
export class RunningShim implements Shim {
  readonly id: string;
  readonly pid: number;
  readonly startTime: number;
  readonly dir: string;
  readonly exited: Promise<ExitStatus>;
  readonly #oomListeners: (() => void)[] = [];
  #settle: { resolve: (status: ExitStatus) => void; reject: (error: Error) => void } | undefined;
  #control: Promise<ShimConnection> | undefined;
  #ended = false;

  constructor(id: string, dir: string, pid: number, startTime: number) {
    this.id = id;
    this.dir = dir;
    this.pid = pid;
    this.startTime = startTime;
    this.exited = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Who never asks is not to be killed by an unhandled rejection.
    this.exited.catch(() => undefined);
  }

  get #socket(): string {
    return join(this.dir, "shim.sock");
  }

  /** The process has ended so. */
  end(status: ExitStatus): void {
    this.#ended = true;
    this.#settle?.resolve(status);
    this.#settle = undefined;
    this.#control?.then(
      (connection) => connection.close(),
      () => undefined,
    );
  }

  /** The shim is gone: what it left says how the process ended, or nothing does. */
  lost(): void {
    if (this.#ended) return;
    const status = readExit(this.dir);
    if (status) {
      this.end(status);
      return;
    }
    this.#ended = true;
    this.#settle?.reject(system(`the shim of ${this.id} was killed`));
    this.#settle = undefined;
  }

  oom(): void {
    for (const listener of this.#oomListeners) listener();
  }

  /**
   * Listens on the shim's socket from now on; for shims whose launcher is gone. Without one the shim
   * counts as lost.
   */
  async watch(): Promise<void> {
    try {
      await this.#connection();
    } catch {
      this.lost();
    }
  }

  #connection(): Promise<ShimConnection> {
    this.#control ??= ShimConnection.open(this.#socket, {
      exit: (payload) => this.end(parseExit(payload)),
      oom: () => this.oom(),
      closed: () => this.lost(),
    }).then((connection) => {
      connection.unref();
      return connection;
    });
    return this.#control;
  }

  async #request(kind: number, payload: Buffer): Promise<Buffer> {
    if (this.#ended) throw conflict(`process ${this.pid} has ended`);
    try {
      return await (await this.#connection()).request(kind, payload);
    } catch (error) {
      // The process may end, and its shim with it, while the request is on its way.
      if (this.#ended) throw conflict(`process ${this.pid} has ended`);
      throw error;
    }
  }

  async attach(options: { stdin: boolean; stdout: boolean; stderr: boolean }): Promise<ShimAttachment> {
    try {
      return await attach((events) => ShimConnection.open(this.#socket, events), options);
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
      // A process that ended meanwhile needs no signal any more; the shim tells its exit when all is read.
      const gone = error instanceof ShimRequestError && error.code === "ESRCH";
      if (!gone && !this.#ended && !readExit(this.dir)) throw error;
    }
  }

  onOom(listener: () => void): void {
    this.#oomListeners.push(listener);
  }

  async dispose(): Promise<void> {
    removeDirectory(this.dir);
  }
}
