import type { ExitStatus, Shim, ShimAttachment } from "../../runtime/types.ts";

const SIGKILL = 9;

/**
 * The process of a container in a virtual machine: on the host its supervisor, whose streams and end are the
 * process's, inside the process itself, which signals and sizes of terminals go to.
 */
export class MachineShim implements Shim {
  readonly id: string;
  readonly pid: number;
  readonly startTime: number;
  readonly exited: Promise<ExitStatus>;
  readonly #supervisor: Shim;
  /** Resolves when the guest can be reached. */
  readonly #inside: () => Promise<Shim>;
  readonly #tty: boolean;
  #oomKilled = false;

  constructor(
    supervisor: Shim,
    inside: () => Promise<Shim>,
    options: { tty: boolean; ended: Promise<ExitStatus> },
  ) {
    this.id = supervisor.id;
    this.pid = supervisor.pid;
    this.startTime = supervisor.startTime;
    this.exited = options.ended.then((status) => ({
      ...status,
      oomKilled: status.oomKilled || this.#oomKilled,
    }));
    this.exited.catch(() => undefined);
    this.#supervisor = supervisor;
    this.#inside = inside;
    this.#tty = options.tty;
  }

  async attach(options: { stdin: boolean; stdout: boolean; stderr: boolean }): Promise<ShimAttachment> {
    const attachment = await this.#supervisor.attach(options);
    // A terminal has no end of input; on the host it is a pipe, which would not come back.
    return this.#tty ? { ...attachment, closeStdin: () => undefined } : attachment;
  }

  async resize(size: { height: number; width: number }): Promise<void> {
    await (await this.#inside()).resize(size);
  }

  /** SIGKILL ends the machine at once; the others reach the process as they would without one. */
  async signal(signal: number): Promise<void> {
    if (signal === SIGKILL) await this.#supervisor.signal(signal);
    else await (await this.#inside()).signal(signal);
  }

  onOom(listener: () => void): void {
    this.#supervisor.onOom(listener);
  }

  /** The guest's kernel killed a process for want of memory. */
  noteOom(): void {
    this.#oomKilled = true;
  }

  dispose(): Promise<void> {
    return this.#supervisor.dispose();
  }
}
