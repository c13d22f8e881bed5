import type { BuildMessage, BuildStepMessage } from "../../lib/build-events.ts";
import { tty } from "../builtin.ts";
import { err } from "../io/output.ts";

/** Shows what happens in a build. */
export interface BuildView {
  show(message: BuildMessage): void;
  /** Nothing more comes; `failed` keeps the last lines of what did not end. */
  close(failed: boolean): void;
}

/** Lines of a running step that are shown below it. */
const tailLines = 6;

interface Running {
  step: BuildStepMessage;
  since: number;
  tail: string[];
  rest: string;
}

/** Steps as lines of a log: for files, pipes and `--progress plain`. */
export function plainView(print: (text: string) => void = err): BuildView {
  const steps = new Map<number, BuildStepMessage>();
  const since = new Map<number, number>();
  const rests = new Map<number, string>();
  let total = 0;
  const line = (number: number, text: string): void => print(`#${number} ${text}\n`);
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
          print(`warning: ${message.message}\n`);
          break;
        case "unused":
          print(`${unusedText(message)}\n`);
          break;
        case "failure":
          print(message.excerpt);
          break;
        case "begin": {
          since.set(message.step, performance.now());
          const step = steps.get(message.step);
          line(message.step, `[${step?.stage} ${message.step}/${total}] ${step?.text}`);
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
        case "end": {
          const rest = rests.get(message.step);
          if (rest) line(message.step, `| ${rest}`);
          line(message.step, message.cached ? "cached" : `done ${elapsed(since.get(message.step) ?? 0)}`);
          break;
        }
        case "context":
          print(`context: ${message.files} files, ${message.read} read\n`);
          break;
        case "image":
          print(imageText(message));
          break;
      }
    },
    close() {
      for (const [number, rest] of rests) if (rest) line(number, `| ${rest}`);
    },
  };
}

/** Steps that are done as lines, and below them those that run, with their time and what they say last. */
export function liveView(print: (text: string) => void = err): BuildView {
  const steps = new Map<number, BuildStepMessage>();
  const running = new Map<number, Running>();
  const begun = performance.now();
  let done = 0;
  let cached = 0;
  let drawn = 0;
  let place = "";
  const clear = (): string => (drawn === 0 ? "" : `\x1b[${drawn}A\r\x1b[J`);
  const draw = (above = ""): void => {
    const width = Math.max(20, (new tty.WriteStream(2).getWindowSize()[0] || 80) - 1);
    const lines = [...running.values()].flatMap((item) => [
      stepLine("●", item.step, elapsed(item.since), width),
      ...item.tail.map((text) => `\x1b[2m${`    │ ${text}`.slice(0, width)}\x1b[0m`),
    ]);
    if (running.size > 0) {
      const count = `${done} of ${steps.size} steps${cached > 0 ? `, ${cached} cached` : ""}`;
      lines.unshift(`Building ${elapsed(begun)}  ${count}`);
    }
    print(`${clear()}${above}${lines.map((text) => `${text}\n`).join("")}`);
    drawn = lines.length;
  };
  const timer = setInterval(() => running.size > 0 && draw(), 200);
  timer.unref();
  return {
    show(message) {
      switch (message.kind) {
        case "plan":
          for (const step of message.steps) steps.set(step.number, step);
          break;
        case "warning":
          draw(`\x1b[33m${warningText(message)}\x1b[0m\n`);
          break;
        case "trouble":
          draw(`\x1b[33mwarning: ${message.message}\x1b[0m\n`);
          break;
        case "unused":
          draw(`\x1b[33m${unusedText(message)}\x1b[0m\n`);
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
          const { id = "", status = "" } = message.progress;
          const item = running.get(message.step);
          if (item)
            item.tail = [...item.tail.filter((text) => !text.startsWith(`${id}:`)), `${id}: ${status}`].slice(
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
          const width = Math.max(20, (new tty.WriteStream(2).getWindowSize()[0] || 80) - 1);
          draw(`${stepLine("✔", item.step, message.cached ? "cached" : elapsed(item.since), width)}\n`);
          break;
        }
        case "context":
          break;
        case "image":
          draw(imageText(message));
          break;
      }
    },
    close(failed) {
      clearInterval(timer);
      if (!failed) return;
      const lines = [...running.values()].flatMap(({ step, tail, rest }) => [
        `✘ ${step.stage}  ${step.text}`,
        ...[...tail, rest].filter((text) => text !== "").map((text) => `    │ ${text}`),
      ]);
      print(`${clear()}${lines.map((text) => `${text}\n`).join("")}${place}`);
      drawn = 0;
    },
  };
}

function addOutput(item: Running, text: string): void {
  const lines = `${item.rest}${text}`.split(/\r?\n|\r/);
  item.rest = lines.pop() ?? "";
  item.tail = [...item.tail, ...lines.map(printable)].slice(-tailLines);
}

/** What a step says may be meant to move the cursor of a terminal that it had for itself. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken away
const printable = (text: string): string => text.replace(/\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f]/g, "");

function stepLine(mark: string, { stage, text }: BuildStepMessage, time: string, width: number): string {
  const name = ` ${mark} ${stage.padEnd(8)} `;
  const room = Math.max(0, width - name.length - time.length - 1);
  const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text.padEnd(room);
  return `${name}${shown} ${time}`;
}

const elapsed = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)}s`;

const warningText = ({ rule, message, line }: Extract<BuildMessage, { kind: "warning" }>): string =>
  `warning: ${message} (${rule}, line ${line})`;

const unusedText = ({ names }: Extract<BuildMessage, { kind: "unused" }>): string =>
  `warning: no ARG asks for the build arguments ${names.join(", ")}`;

const imageText = ({ id, names }: Extract<BuildMessage, { kind: "image" }>): string =>
  `built ${id.slice("sha256:".length, "sha256:".length + 12)}${names.map((name) => ` ${name}`).join("")}\n`;
