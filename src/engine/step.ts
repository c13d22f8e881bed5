import { join } from "node:path";
import type { ContainerConfig, HostConfig } from "@docker/node-sdk";
import type { ResolvedImage } from "../image/types.ts";
import { attachContainer } from "./attach.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { containerDirectory, createFrom } from "./create.ts";
import { startContainer } from "./lifecycle.ts";
import { remove } from "./remove.ts";
import { killAndWait } from "./stop.ts";

/** A process over a stack of layers whose writes are wanted: a step of a build. */
export interface Step {
  /** What it stands on: the layers' directories, topmost first, and their numbers, lowest first. */
  image: ResolvedImage;
  layerIds: readonly number[];
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** Variables that are written down nowhere. */
  secretEnv?: readonly string[];
  onCreate?: (containerId: string) => void;
  onOutput?: (stream: "stdout" | "stderr", data: Buffer) => void;
  signal?: AbortSignal;
  /** Takes the writable layer's directory away, after the process has ended well. */
  take: (upper: string) => void;
}

/** Runs steps as containers of the engine, which are gone afterwards. */
export class StepRunner {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** Resolves with the exit code. Rejects when it could not be started or was aborted. */
  async run(step: Step): Promise<{ exitCode: number; containerId: string }> {
    step.signal?.throwIfAborted();
    const context = this.#context;
    const { Id } = await createFrom(
      context,
      {
        ...step.config,
        HostConfig: { ...step.hostConfig, AutoRemove: true, LogConfig: { Type: "none", Config: {} } },
      },
      step.image,
      null,
      { layerIds: step.layerIds, step: true },
    );
    const container = context.table.get(Id);
    // Its files are taken before it goes; after a crash of the daemon the next start removes it.
    container.held = true;
    container.secretEnv = step.secretEnv ?? [];
    try {
      step.onCreate?.(Id);
      const exitCode = await this.#follow(container, step);
      step.signal?.throwIfAborted();
      if (exitCode === 0) {
        await container.lock.run(() => step.take(join(containerDirectory(context, Id), "rw", "upper")));
      }
      return { exitCode, containerId: Id };
    } finally {
      // A start that failed has removed it already.
      if (context.table.find(Id) === container)
        await remove(context, container, { force: true, volumes: true });
    }
  }

  async #follow(container: Container, step: Step): Promise<number> {
    const context = this.#context;
    const attachment = await attachContainer(context, container, {
      stdout: true,
      stderr: true,
      stream: true,
    });
    const copy = async (): Promise<void> => {
      for await (const { stream, data } of attachment.output) step.onOutput?.(stream, data);
    };
    const ended = container.wait("not-running");
    const onAbort = (): void => {
      killAndWait(context, container).catch((error: unknown) => {
        context.log.warn("could not end a step of a build", {
          container: container.id,
          error: String(error),
        });
      });
    };
    try {
      await startContainer(context, container);
      step.signal?.addEventListener("abort", onAbort, { once: true });
      if (step.signal?.aborted) onAbort();
      const [{ exitCode }] = await Promise.all([ended, copy()]);
      return exitCode;
    } finally {
      step.signal?.removeEventListener("abort", onAbort);
      attachment.close();
    }
  }
}
