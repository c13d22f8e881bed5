import { setTimeout as sleep } from "node:timers/promises";
import { system } from "../../lib/errors.ts";
import { isObject, type JsonObject } from "../json-lines.ts";
import { Qmp, type QmpEvent } from "../qmp.ts";

/** How the guest or its hypervisor came to its end, as QEMU told of it. */
export type MachineEnd = "guest-shutdown" | "guest-reset" | "guest-panic" | "host" | null;

/** Milliseconds that a snapshot may take. */
const jobTimeout = 600_000;
const jobPoll = 20;
/** How long what QEMU said before its end may be on its way. */
const lastWordsMs = 1000;

/** A machine's hypervisor while it runs: one connection to its control protocol. */
export class MachineControl {
  readonly #qmp: Qmp;
  readonly #onReset: () => void;
  readonly #closed: Promise<void>;
  #end: MachineEnd = null;

  private constructor(qmp: Qmp, closed: Promise<void>, onReset: () => void) {
    this.#qmp = qmp;
    this.#closed = closed;
    this.#onReset = onReset;
  }

  /**
   * Connects to the socket; rejects when nobody answers within `timeout` milliseconds. `onReset` is called when
   * the guest starts over.
   */
  static async open(socket: string, timeout: number, onReset: () => void): Promise<MachineControl> {
    let control: MachineControl | null = null;
    const early: QmpEvent[] = [];
    const closed = Promise.withResolvers<void>();
    const qmp = await Qmp.connect(socket, {
      timeout,
      onClose: closed.resolve,
      onEvent: (event) => (control ? control.#event(event) : early.push(event)),
    });
    qmp.unref();
    control = new MachineControl(qmp, closed.promise, onReset);
    for (const event of early) control.#event(event);
    return control;
  }

  /** What QEMU said of its end, if it did; when it has ended. */
  async end(): Promise<MachineEnd> {
    await Promise.race([this.#closed, sleep(lastWordsMs)]);
    return this.#end;
  }

  /** Presses the power button. */
  async powerDown(): Promise<void> {
    await this.#qmp.execute("system_powerdown");
  }

  /** QEMU's word for what the machine does: "running", "paused", "guest-panicked"… */
  async status(): Promise<string> {
    const answer = await this.#qmp.execute("query-status");
    return isObject(answer) ? String(answer.status) : "unknown";
  }

  /** Bytes of memory that the guest has now, less what the balloon took; null before its driver answers. */
  async memory(): Promise<number | null> {
    try {
      const answer = await this.#qmp.execute("query-balloon");
      return isObject(answer) ? Number(answer.actual) : null;
    } catch {
      return null;
    }
  }

  /** Disk and memory as they are now, under a name, in the disk's file. */
  async saveSnapshot(name: string, disk: string): Promise<void> {
    await this.#job("snapshot-save", { tag: name, vmstate: disk, devices: [disk] });
  }

  async loadSnapshot(name: string, disk: string): Promise<void> {
    await this.#job("snapshot-load", { tag: name, vmstate: disk, devices: [disk] });
    await this.#qmp.execute("cont");
  }

  async deleteSnapshot(name: string, disk: string): Promise<void> {
    await this.#job("snapshot-delete", { tag: name, devices: [disk] });
  }

  close(): void {
    this.#qmp.close();
  }

  #event({ name, data }: QmpEvent): void {
    if (name === "RESET") this.#onReset();
    if (name === "GUEST_PANICKED") this.#end = "guest-panic";
    if (name !== "SHUTDOWN" || this.#end === "guest-panic") return;
    if (data.reason === "guest-panic") this.#end = "guest-panic";
    else if (data.guest === true)
      this.#end = data.reason === "guest-reset" ? "guest-reset" : "guest-shutdown";
    else this.#end = "host";
  }

  /** Runs a background job of QEMU to its end. */
  async #job(command: string, args: JsonObject): Promise<void> {
    const id = `berth-${command}`;
    await this.#qmp.execute(command, { "job-id": id, ...args });
    for (const deadline = Date.now() + jobTimeout; Date.now() < deadline; await sleep(jobPoll)) {
      const jobs = await this.#qmp.execute("query-jobs");
      const job = Array.isArray(jobs) ? jobs.filter(isObject).find((one) => one.id === id) : undefined;
      if (!job) return;
      if (job.status !== "concluded") continue;
      await this.#qmp.execute("job-dismiss", { id });
      if (job.error !== undefined) throw system(`the hypervisor could not do it: ${job.error}`);
      return;
    }
    throw system(`the hypervisor did not finish ${command}`);
  }
}
