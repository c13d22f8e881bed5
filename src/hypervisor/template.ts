import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Accelerator } from "./accelerator.ts";
import type { Slot } from "./devices.ts";
import type { GuestKernel } from "./kernel.ts";

/** What a saved machine was made with: another cannot go on from its state when any of it differs. */
export interface TemplateSource {
  emulator: string;
  kernel: GuestKernel;
  initrd: string;
  accelerator: Accelerator;
}

export interface TemplateSize {
  /** Bytes. */
  memory: number;
  cpus: number;
}

/** A machine that was booted up to where it waits for its container, and saved. */
export interface Template extends TemplateSize {
  name: string;
  /** Of the channel of all machines that go on from it. */
  token: string;
  kernel: string;
  created: string;
  /** The saved state, and its size in bytes. */
  file: string;
  size: number;
}

/** One for the container's files and one for each network that it may be in. */
const slots = 5;
export const templateSlot = (at: number): string => `slot${at}`;
export const templateSlots: readonly Slot[] = Array.from({ length: slots }, (_, at) => ({
  kind: "slot",
  id: templateSlot(at),
}));
/** With more networks a machine has to boot. */
export const mostNetworks = slots - 1;

/** The templates in a directory: a state and a description each. */
export class TemplateStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The template for machines of this size, or null. */
  find(source: TemplateSource, size: TemplateSize): Template | null {
    return this.#read(templateName(source, size));
  }

  list(): Template[] {
    if (!existsSync(this.#directory)) return [];
    const names = readdirSync(this.#directory).filter((file) => file.endsWith(".json"));
    return names.flatMap((file) => this.#read(file.slice(0, -".json".length)) ?? []);
  }

  /** Keeps a state that was saved in a file of the same file system, which is moved. */
  add(source: TemplateSource, size: TemplateSize, token: string, saved: string): Template {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const name = templateName(source, size);
    const { memory, cpus } = size;
    const kept = { memory, cpus, token, kernel: source.kernel.version, created: new Date().toISOString() };
    // The description last: without it there is no template.
    rmSync(this.#path(name, "json"), { force: true });
    renameSync(saved, this.#path(name, "state"));
    writeFileSync(`${saved}.json`, JSON.stringify(kept), { mode: 0o600 });
    renameSync(`${saved}.json`, this.#path(name, "json"));
    return { name, ...kept, file: this.#path(name, "state"), size: statSync(this.#path(name, "state")).size };
  }

  /** False when there is none of the name. */
  remove(name: string): boolean {
    if (!this.#read(name)) return false;
    for (const kind of ["json", "state"] as const) rmSync(this.#path(name, kind), { force: true });
    return true;
  }

  #path(name: string, kind: "json" | "state"): string {
    return join(this.#directory, `${name}.${kind}`);
  }

  #read(name: string): Template | null {
    const file = this.#path(name, "state");
    if (!/^[0-9a-f]+$/.test(name) || !existsSync(this.#path(name, "json")) || !existsSync(file)) return null;
    const kept: Omit<Template, "name" | "file" | "size"> = JSON.parse(
      readFileSync(this.#path(name, "json"), "utf8"),
    );
    return { name, ...kept, file, size: statSync(file).size };
  }
}

function templateName(source: TemplateSource, { memory, cpus }: TemplateSize): string {
  const { accelerator, emulator, kernel, initrd } = source;
  const stamps = [emulator, kernel.image].map((file) => {
    const { mtimeMs, size } = statSync(file);
    return `${file} ${mtimeMs} ${size}`;
  });
  // The ram disk's name tells its content.
  const text = JSON.stringify([stamps, initrd, accelerator, memory, cpus, slots]);
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
