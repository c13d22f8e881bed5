import { setTimeout as sleep } from "node:timers/promises";
import { templateSource } from "../../hypervisor/guest/template.ts";
import type { Template, TemplateSize } from "../../hypervisor/template.ts";
import type { EngineContext } from "../context.ts";
import { availableMemory } from "../machines/memory.ts";
import { makeTemplate } from "./template.ts";

/** After a start that had to boot: whoever started it goes first. */
const delayMs = 3000;
/** What is left of the host's memory beside a template that nobody asked for. */
const spare = 512 << 20;

/** Makes templates: when they are asked for, and for machines that had to boot. */
export class Templates {
  readonly #context: EngineContext;
  /** Whether those that had to boot get one unasked. */
  readonly #unasked: boolean;
  readonly #closing = new AbortController();
  /** By size. */
  readonly #making = new Map<string, Promise<Template>>();
  /** Sizes that it failed for, or that had theirs removed: not again without being asked. */
  readonly #settled = new Set<string>();
  /** One after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(context: EngineContext, options: { unasked: boolean }) {
    this.#context = context;
    this.#unasked = options.unasked;
  }

  list(): Template[] {
    return this.#context.machines.templates.list();
  }

  /** Makes a template, in place of one that may be there. */
  make(size: TemplateSize): Promise<Template> {
    return this.#make(size);
  }

  /** A machine of this size had to boot. */
  booted(size: TemplateSize): void {
    const key = keyOf(size);
    if (!this.#unasked || this.#settled.has(key)) return;
    this.#settled.add(key);
    this.#follow(size).catch((error: unknown) => {
      if (this.#closing.signal.aborted) return;
      this.#context.log.warn("no template of virtual machines could be made", {
        ...size,
        error: error instanceof Error ? error.message : String(error),
      });
    });
  }

  /** False when there is none of the name. It is not made again without being asked. */
  remove(name: string): boolean {
    const template = this.list().find((one) => one.name === name);
    if (template) this.#settled.add(keyOf(template));
    return this.#context.machines.templates.remove(name);
  }

  /** Stops what is being made. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#making.values());
  }

  async #follow(size: TemplateSize): Promise<void> {
    await sleep(delayMs, undefined, { signal: this.#closing.signal, ref: false });
    // One that was made while this machine booted, or no room for one now: the next that boots asks again.
    const { machines } = this.#context;
    const made = machines.templates.peek(templateSource(machines.tools()), size) !== null;
    if (made || availableMemory() < size.memory + spare) {
      this.#settled.delete(keyOf(size));
      return;
    }
    const { name, size: bytes } = await this.#make(size);
    this.#context.log.info("made a template of virtual machines", { template: name, ...size, bytes });
  }

  #make(size: TemplateSize): Promise<Template> {
    const key = keyOf(size);
    const making = this.#making.get(key);
    if (making) return making;
    const made = this.#last.then(async () => {
      this.#closing.signal.throwIfAborted();
      const template = await makeTemplate(this.#context, size, this.#closing.signal);
      this.#settled.delete(key);
      return template;
    });
    this.#last = made.catch(() => undefined);
    this.#making.set(key, made);
    const forget = (): boolean => this.#making.delete(key);
    made.then(forget, forget);
    return made;
  }
}

const keyOf = ({ memory, cpus }: TemplateSize): string => `${memory} ${cpus}`;
