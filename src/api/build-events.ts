import { ruleUrl } from "../build/checks/rules.ts";
import type { BuildEvent } from "../build/types.ts";
import type { BuildMessage } from "../lib/build-events.ts";
import type { BuildView } from "./build-view.ts";

/** Tells of a build as it happens, stages at the same time; Docker has no such answer. */
export function eventView(send: (line: object) => void): BuildView {
  return {
    onEvent: (event) => {
      const message = toMessage(event);
      if (message) send({ build: message });
    },
    flush: () => undefined,
    explain: (error) => {
      throw error;
    },
  };
}

function toMessage(event: BuildEvent): BuildMessage | null {
  switch (event.kind) {
    case "plan":
      return { kind: "plan", steps: event.steps };
    case "warning": {
      const { rule, message, location } = event.warning;
      return { kind: "warning", rule, message, url: ruleUrl(rule), ...location };
    }
    case "unused":
      return { kind: "unused", names: event.names };
    case "failure":
      return { kind: "failure", excerpt: event.excerpt };
    case "begin":
      return { kind: "begin", step: event.step.number };
    case "output":
      return {
        kind: "output",
        step: event.step.number,
        stream: event.stream,
        text: event.text,
      };
    case "trigger":
      return { kind: "output", step: event.step.number, stream: "stdout", text: `ONBUILD ${event.text}\n` };
    case "pull":
      return { kind: "pull", step: event.step.number, progress: event.progress };
    case "end":
      return { kind: "end", step: event.step.number, cached: event.cached };
    case "image":
      return {
        kind: "image",
        id: event.id,
        ...(event.digest ? { digest: event.digest } : {}),
        names: event.names,
        provenance: event.provenance,
      };
    case "fail":
      return { kind: "fail", step: event.step.number };
    case "trouble":
    case "context":
      return event;
    case "container":
      return null;
  }
}
