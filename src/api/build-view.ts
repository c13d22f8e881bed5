import type { BuildEvent, OnBuildEvent, StepInfo } from "../build/types.ts";
import { BerthError } from "../lib/errors.ts";

export const shortId = (id: string): string => id.replace(/^sha256:/, "").slice(0, 12);

export interface BuildView {
  onEvent: OnBuildEvent;
  /** Shows what is still held back. */
  flush(): void;
  /** Throws an error again, with where in the Dockerfile it came up when that has been told. */
  explain(error: unknown): never;
}

type StepEvent = Extract<BuildEvent, { step: StepInfo }>;

/**
 * Tells of a build in the words of Docker's classic builder, which builds one stage after the other: what
 * happens in a later stage is shown when the earlier ones are done.
 */
export function classicView(send: (line: object) => void): BuildView {
  const steps = stepView(send);
  /** Events of the stages that are not done, in the order of the Dockerfile; the first one is shown live. */
  let place = "";
  const waiting = new Map<string, { last: number; events: StepEvent[] }>();
  const advance = (): void => {
    for (const [stage, { last, events }] of waiting) {
      for (const event of events) steps.show(event);
      const isDone = events.some(({ kind, step }) => kind === "end" && step.number === last);
      events.length = 0;
      if (!isDone) return;
      waiting.delete(stage);
    }
  };
  return {
    onEvent(event) {
      if (event.kind === "plan") {
        steps.total = event.steps.length;
        for (const { stage, number } of event.steps) waiting.set(stage, { last: number, events: [] });
      } else if (event.kind === "warning") {
        const { rule, message, location } = event.warning;
        send({ stream: `[Warning] ${rule}: ${message} (line ${location.line})\n` });
      } else if (event.kind === "unused") {
        send({
          stream: `[Warning] One or more build-args [${event.names.join(" ")}] were not consumed\n`,
        });
      } else if (event.kind === "failure") {
        if (event.isSyntax) place = event.excerpt.trimEnd();
      } else if (event.kind === "trouble") {
        send({ stream: `[Warning] ${event.message}\n` });
      } else if (event.kind === "image") {
        send({ aux: { ID: event.id } });
      } else if (event.kind !== "context") {
        waiting.get(event.step.stage)?.events.push(event);
        advance();
      }
    },
    flush() {
      for (const { events } of waiting.values()) for (const event of events) steps.show(event);
      waiting.clear();
    },
    explain(error) {
      if (place === "" || !(error instanceof BerthError)) throw error;
      throw new BerthError(error.code, `${error.message}\n${place}`, { cause: error });
    },
  };
}

function stepView(send: (line: object) => void): { total: number; show(event: StepEvent): void } {
  const containers = new Map<StepInfo, string>();
  const stream = (text: string): void => send({ stream: text });
  return {
    total: 0,
    show(event) {
      switch (event.kind) {
        case "begin":
          stream(`Step ${event.step.number}/${this.total} : ${event.step.text}\n`);
          break;
        case "container":
          containers.set(event.step, event.id);
          stream(` ---> Running in ${shortId(event.id)}\n`);
          break;
        case "output":
          stream(event.text);
          break;
        case "trigger":
          if (event.number === 1)
            stream(`# Executing ${event.total} build trigger${event.total === 1 ? "" : "s"}\n`);
          break;
        case "pull":
          send(event.progress);
          break;
        case "end": {
          const container = containers.get(event.step);
          if (container) stream(` ---> Removed intermediate container ${shortId(container)}\n`);
          if (event.cached) stream(" ---> Using cache\n");
          if (event.result) stream(` ---> ${shortId(event.result)}\n`);
          break;
        }
      }
    },
  };
}
