import type { BuildStepMessage } from "../../lib/build-events.ts";
import { tty } from "../builtin.ts";
import { err } from "../io/output.ts";
import {
  elapsed,
  fit,
  imageText,
  oneLine,
  printable,
  troubleText,
  unusedText,
  warningText,
} from "./texts.ts";
import type { BuildView } from "./view.ts";

/** Lines of a running step that are shown below it, where there is room. */
const tailLines = 6;

interface Running {
  step: BuildStepMessage;
  since: number;
  tail: string[];
  rest: string;
}

const colours = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** Without colours where the user wants none (https://no-color.org). */
const paint = (colour: keyof typeof colours, text: string): string =>
  process.env.NO_COLOR ? text : `\x1b[${colours[colour]}m${text}\x1b[0m`;

/** Steps that are done as lines, and below them those that run, with their time and what they say last. */
export function liveView(print: (text: string) => void = err): BuildView {
  const terminal = new tty.WriteStream(2);
  const steps = new Map<number, BuildStepMessage>();
  const running = new Map<number, Running>();
  const failed = new Set<number>();
  const begun = performance.now();
  let done = 0;
  let cached = 0;
  let drawn = 0;
  let widest = 1;
  let place = "";
  const size = (): { columns: number; rows: number } => {
    const [columns = 0, rows = 0] = terminal.getWindowSize();
    // The last column is left alone: some terminals begin a new line there.
    return { columns: Math.max(20, (columns || 80) - 1), rows: Math.max(4, (rows || 24) - 1) };
  };
  const clear = (): string => (drawn === 0 ? "" : `\x1b[${drawn}A\r\x1b[J`);
  const stepLine = (mark: string, { stage, text }: BuildStepMessage, time: string): string => {
    const { columns } = size();
    const name = fit(stage, Math.min(widest, Math.floor(columns / 3)));
    const room = Math.max(1, columns - name.length - time.length - 6);
    return ` ${mark} ${name}  ${fit(oneLine(text), room)} ${time}`;
  };
  const summary = (): string => `${done} of ${steps.size} steps${cached > 0 ? `, ${cached} cached` : ""}`;

  const frame = (): string[] => {
    if (running.size === 0) return [];
    const { columns, rows } = size();
    // What does not fit could not be taken back again.
    const shown = [...running.values()].slice(0, rows - 1);
    const tails = Math.min(tailLines, Math.floor((rows - 1 - shown.length) / shown.length));
    return [
      `Building ${elapsed(begun)}  ${summary()}`,
      ...shown.flatMap(({ step, since, tail }) => [
        stepLine(paint("cyan", "●"), step, elapsed(since)),
        ...tail
          .slice(tail.length - Math.min(tails, tail.length))
          .map((text) =>
            paint(
              "dim",
              `   ${" ".repeat(Math.min(widest, 8))}│ ${fit(text, Math.max(1, columns - 13))}`.trimEnd(),
            ),
          ),
      ]),
    ];
  };
  const draw = (above = ""): void => {
    const lines = frame();
    print(`${clear()}${above}${lines.map((text) => `${text}\n`).join("")}`);
    drawn = lines.length;
  };
  const timer = setInterval(() => running.size > 0 && draw(), 200);
  timer.unref();
  return {
    show(message) {
      switch (message.kind) {
        case "plan":
          for (const step of message.steps) {
            steps.set(step.number, step);
            widest = Math.max(widest, step.stage.length);
          }
          break;
        case "warning":
          draw(`${paint("yellow", warningText(message))}\n`);
          break;
        case "trouble":
          draw(`${paint("yellow", troubleText(message))}\n`);
          break;
        case "unused":
          draw(`${paint("yellow", unusedText(message))}\n`);
          break;
        case "changed":
          break;
        case "failure":
          place = message.excerpt;
          break;
        case "begin": {
          const step = steps.get(message.step);
          if (step) running.set(step.number, { step, since: performance.now(), tail: [], rest: "" });
          draw();
          break;
        }
        case "output": {
          const item = running.get(message.step);
          if (item) addOutput(item, message.text);
          break;
        }
        case "pull": {
          const { id = "", status = "", progress = "" } = message.progress;
          const item = running.get(message.step);
          if (!item) break;
          const others = item.tail.filter((text) => id === "" || !text.startsWith(`${id}:`));
          item.tail = [...others, `${id === "" ? "" : `${id}: `}${status} ${progress}`.trimEnd()].slice(
            -tailLines,
          );
          break;
        }
        case "end": {
          const item = running.get(message.step);
          running.delete(message.step);
          done++;
          if (message.cached) cached++;
          if (!item) break;
          const time = message.cached ? paint("dim", "cached") : elapsed(item.since);
          draw(`${endLine(item, message.cached, time)}\n`);
          break;
        }
        case "fail":
          failed.add(message.step);
          break;
        case "context":
          break;
        case "image":
          draw(`${imageText(message)} in ${elapsed(begun)}, ${summary()}\n`);
          break;
      }
    },
    close(isFailure) {
      clearInterval(timer);
      if (!isFailure) return;
      const lines = [...running.values()].flatMap(({ step, since, tail, rest }) =>
        failed.has(step.number)
          ? [
              stepLine(paint("red", "✘"), step, elapsed(since)),
              ...[...tail, rest].filter((text) => text !== "").map((text) => `    │ ${printable(text)}`),
            ]
          : [stepLine(paint("dim", "–"), step, "ended")],
      );
      print(`${clear()}${lines.map((text) => `${text}\n`).join("")}${place}`);
      drawn = 0;
    },
  };

  function endLine({ step }: Running, wasCached: boolean, time: string): string {
    const plain = wasCached ? "cached" : time;
    return stepLine(paint("green", "✔"), step, plain).slice(0, -plain.length) + time;
  }
}

function addOutput(item: Running, text: string): void {
  const lines = `${item.rest}${text}`.split(/\r?\n|\r/);
  item.rest = lines.pop() ?? "";
  item.tail = [...item.tail, ...lines.map(printable)].slice(-tailLines);
}
