import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Slot } from "./devices.ts";

export interface TemplateSize {
  /** Bytes. */
  memory: number;
  cpus: number;
}

/** What a machine is made with: another cannot go on from its state when any of it differs. */
export interface TemplateSource {
  /** Files whose change makes another machine: the hypervisor, the kernel, its initial ram disk. */
  files: readonly string[];
  /** The hypervisor's arguments, without what is each machine's own. */
  args: readonly string[];
  /** The guest kernel's version. */
  kernel: string;
}

interface Description extends TemplateSize {
  /** Of the channel of all machines that go on from it. */
  token: string;
  kernel: string;
  created: string;
  /** Digest of the source without the size. */
  source: string;
  /** What the files were when they were kept; the digest is of the small ones. */
  digest: string;
  saved: { size: number; modified: number };
}

/** A machine that was booted up to where it waits for its container, and saved. */
export interface Template extends TemplateSize {
  name: string;
  token: string;
  kernel: string;
  created: string;
  /** The state of the devices. */
  state: string;
  /** The memory: a file of its size with holes. */
  saved: string;
  /** The beginning of the kernel. */
  kernelHead: string;
  /** Bytes on disk. */
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

/** Templates that are kept; the one used longest ago goes for a new one. */
const most = 8;
const block = 512;
/** A template's files. */
export const templateFiles = {
  description: "template.json",
  state: "state",
  saved: "memory",
  kernelHead: "kernel",
} as const;

/** The templates in a directory: a directory each. */
export class TemplateStore {
  readonly #directory: string;
  /** Names of those whose state was found whole, with when it was last changed. */
  readonly #whole = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * The template for machines of this size, or null. One that is damaged is removed, and `onDamage` told why.
   */
  find(
    source: TemplateSource,
    size: TemplateSize,
    onDamage: (name: string, reason: string) => void,
  ): Template | null {
    const name = templateName(source, size);
    const path = join(this.#directory, name);
    if (!existsSync(path)) return null;
    try {
      const description = this.#describe(name);
      this.#verify(name, description);
      const now = new Date();
      utimesSync(path, now, now);
      return this.#template(name, description);
    } catch (error) {
      onDamage(name, error instanceof Error ? error.message : String(error));
      this.remove(name);
      return null;
    }
  }

  /** The same for whom only wants to know: nothing is looked at closely or removed. */
  peek(source: TemplateSource, size: TemplateSize): Template | null {
    const name = templateName(source, size);
    return this.list().find((template) => template.name === name) ?? null;
  }

  /** Those that can be read. */
  list(): Template[] {
    return this.#names().flatMap((name) => {
      try {
        return this.#template(name, this.#describe(name));
      } catch {
        return [];
      }
    });
  }

  /**
   * Keeps what was saved in a directory of the same file system, which is moved. Templates that nothing can go on
   * from any more go, and those beyond what is kept.
   */
  async add(source: TemplateSource, size: TemplateSize, token: string, directory: string): Promise<Template> {
    const { memory, cpus } = size;
    const saved = statSync(join(directory, templateFiles.saved));
    const description: Description = {
      ...{ memory, cpus, token },
      kernel: source.kernel,
      created: new Date().toISOString(),
      source: sourceDigest(source),
      digest: filesDigest(directory),
      saved: { size: saved.size, modified: saved.mtimeMs },
    };
    await writeFile(join(directory, templateFiles.description), JSON.stringify(description), { mode: 0o600 });
    const name = templateName(source, size);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    this.remove(name);
    renameSync(directory, join(this.#directory, name));
    this.#prune(description.source, name);
    return this.#template(name, description);
  }

  /** False when there is none of the name. */
  remove(name: string): boolean {
    if (!this.#names().includes(name)) return false;
    this.#whole.delete(name);
    rmSync(join(this.#directory, name), { recursive: true, force: true });
    return true;
  }

  #names(): string[] {
    return existsSync(this.#directory) ? readdirSync(this.#directory) : [];
  }

  #prune(source: string, newest: string): void {
    const used = (name: string): number => statSync(join(this.#directory, name)).mtimeMs;
    const others = this.#names().filter((name) => name !== newest);
    const current = others.filter((name) => {
      try {
        return this.#describe(name).source === source;
      } catch {
        return false;
      }
    });
    const kept = new Set(current.sort((a, b) => used(b) - used(a)).slice(0, most - 1));
    for (const name of others) if (!kept.has(name)) this.remove(name);
  }

  #describe(name: string): Description {
    return JSON.parse(readFileSync(join(this.#directory, name, templateFiles.description), "utf8"));
  }

  /** The memory is too much to read it each time: that it was not touched since has to do. */
  #verify(name: string, { digest, saved }: Description): void {
    const directory = join(this.#directory, name);
    const { mtimeMs } = statSync(join(directory, templateFiles.state));
    if (this.#whole.get(name) !== mtimeMs) {
      if (filesDigest(directory) !== digest) throw new Error("its state is not what was saved");
      this.#whole.set(name, mtimeMs);
    }
    const now = statSync(join(this.#directory, name, templateFiles.saved));
    if (now.size !== saved.size || now.mtimeMs !== saved.modified)
      throw new Error("its memory is not what was saved");
  }

  #template(name: string, { memory, cpus, token, kernel, created }: Description): Template {
    const path = (file: keyof typeof templateFiles): string =>
      join(this.#directory, name, templateFiles[file]);
    const [state, saved, kernelHead] = [path("state"), path("saved"), path("kernelHead")];
    const size = [state, saved, kernelHead].reduce((sum, file) => sum + statSync(file).blocks * block, 0);
    return { name, memory, cpus, token, kernel, created, state, saved, kernelHead, size };
  }
}

const digest = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");

const filesDigest = (directory: string): string =>
  digest(
    Buffer.concat(
      [templateFiles.state, templateFiles.kernelHead].map((file) => readFileSync(join(directory, file))),
    ),
  );

function sourceDigest({ files, args }: TemplateSource): string {
  const stamps = files.map((file) => {
    const { mtimeMs, size } = statSync(file);
    return `${file} ${mtimeMs} ${size}`;
  });
  return digest(JSON.stringify([stamps, args]));
}

const templateName = (source: TemplateSource, { memory, cpus }: TemplateSize): string =>
  digest(JSON.stringify([sourceDigest(source), memory, cpus])).slice(0, 12);
