import type { BuildStepMessage } from "../../lib/build-events.ts";
import { err } from "../io/output.ts";
import { contextText, elapsed, imageText, oneLine, troubleText, unusedText, warningText } from "./texts.ts";
import type { BuildView } from "./view.ts";

/** Steps as lines of a log: for files, pipes and `--progress plain`. */
export function plainView(print: (text: string) => void = err): BuildView {
  const steps = new Map<number, BuildStepMessage>();
  const since = new Map<number, number>();
  const rests = new Map<number, string>();
  let total = 0;
  const line = (number: number, text: string): void => print(`#${number} ${text}\n`);
  const endLine = (number: number): void => {
    const rest = rests.get(number);
    if (rest) line(number, `| ${rest}`);
    rests.delete(number);
  };
  return {
    show(message) {
      switch (message.kind) {
        case "plan":
          total = message.steps.length;
          for (const step of message.steps) steps.set(step.number, step);
          break;
        case "warning":
          print(`${warningText(message)}\n`);
          break;
        case "trouble":
          print(`${troubleText(message)}\n`);
          break;
        case "unused":
          print(`${unusedText(message)}\n`);
          break;
        case "changed":
          break;
        case "failure":
          print(message.excerpt);
          break;
        case "begin": {
          since.set(message.step, performance.now());
          const step = steps.get(message.step);
          line(message.step, `[${step?.stage} ${message.step}/${total}] ${oneLine(step?.text ?? "")}`);
          break;
        }
        case "output": {
          const lines = `${rests.get(message.step) ?? ""}${message.text}`.split("\n");
          rests.set(message.step, lines.pop() ?? "");
          for (const text of lines) line(message.step, `| ${text}`);
          break;
        }
        case "pull":
          if (message.progress.status && !message.progress.id) line(message.step, message.progress.status);
          break;
        case "end":
          endLine(message.step);
          line(message.step, message.cached ? "cached" : `done ${elapsed(since.get(message.step) ?? 0)}`);
          break;
        case "fail":
          endLine(message.step);
          line(message.step, "failed");
          break;
        case "context":
          print(`${contextText(message)}\n`);
          break;
        case "image":
          print(`${imageText(message)}\n`);
          break;
      }
    },
    close() {
      for (const number of rests.keys()) endLine(number);
    },
  };
}
