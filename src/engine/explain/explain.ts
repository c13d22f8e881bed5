import type { ContainerCreateRequest } from "@docker/node-sdk";
import { shortId } from "../../lib/ids.ts";
import { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { newRecord } from "../create.ts";
import { isIsolated } from "../isolation/isolation.ts";
import { previewLaunch } from "../launch.ts";
import { plannedMounts } from "../mounts/volume-use.ts";
import type { Explains } from "../types.ts";
import { explainContainer } from "./container.ts";
import { explainMachine } from "./machine.ts";
import type { ContainerExplanation, LaunchExplanation } from "./types.ts";

/** Shows what a launch would do and what the kernel says of a container; changes nothing. */
export class ExplainVerbs implements Explains {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  async launch(request: ContainerCreateRequest): Promise<LaunchExplanation> {
    const image = await this.#context.images.resolve(request.Image ?? "");
    const { record } = newRecord(this.#context, request, image);
    record.mounts = plannedMounts(this.#context, record);
    const container = new Container(record);
    const launch = await previewLaunch(this.#context, container, image.layers);
    const isolated = isIsolated(record.hostConfig)
      ? await explainMachine(this.#context, container, launch)
      : null;
    const { steps } = isolated?.sandbox ?? (await this.#context.runtime.explain(launch));
    // The id is not known before there is a container.
    const nameless = (text: string): string =>
      text.replaceAll(record.id, "ID").replaceAll(shortId(record.id), "ID");
    const told = (step: LaunchExplanation["steps"][number]) => ({
      ...step,
      call: nameless(step.call),
      why: nameless(step.why),
    });
    return {
      image: record.config.Image ?? "",
      command: [record.path, ...record.args],
      steps: steps.map(told),
      ...(isolated ? { machine: { ...isolated.machine, inside: isolated.machine.inside.map(told) } } : {}),
    };
  }

  async container(ref: string): Promise<ContainerExplanation> {
    return explainContainer(this.#context.table.get(ref));
  }
}
