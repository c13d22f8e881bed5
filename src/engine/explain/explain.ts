import type { ContainerCreateRequest } from "@docker/node-sdk";
import { shortId } from "../../lib/ids.ts";
import { Container } from "../container.ts";
import type { EngineContext } from "../context.ts";
import { newRecord } from "../create.ts";
import { previewLaunch } from "../launch.ts";
import { plannedMounts } from "../mounts/volume-use.ts";
import type { Explains } from "../types.ts";
import { explainContainer } from "./container.ts";
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
    const { steps } = await this.#context.runtime.explain(
      previewLaunch(this.#context, container, image.layers),
    );
    // The id is not known before there is a container.
    const nameless = (text: string): string =>
      text.replaceAll(record.id, "ID").replaceAll(shortId(record.id), "ID");
    return {
      image: record.config.Image ?? "",
      command: [record.path, ...record.args],
      steps: steps.map((step) => ({ ...step, call: nameless(step.call), why: nameless(step.why) })),
    };
  }

  async container(ref: string): Promise<ContainerExplanation> {
    return explainContainer(this.#context.table.get(ref));
  }
}
