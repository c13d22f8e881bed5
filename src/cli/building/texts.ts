import type { BuildMessage } from "../../lib/build-events.ts";

type Message<K extends BuildMessage["kind"]> = Extract<BuildMessage, { kind: K }>;

export const elapsed = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)}s`;

export const warningText = ({ rule, message, line }: Message<"warning">): string =>
  `warning: ${message} (${rule}, line ${line})`;

export const unusedText = ({ names }: Message<"unused">): string =>
  `warning: no ARG asks for the build arguments ${names.join(", ")}`;

export const troubleText = ({ message }: Message<"trouble">): string => `warning: ${message}`;

export const contextText = ({ files, read }: Message<"context">): string =>
  `context: ${files} files, ${read} read`;

export const imageText = ({ id, names }: Message<"image">): string =>
  `built ${id.slice("sha256:".length, "sha256:".length + 12)}${names.map((name) => ` ${name}`).join("")}`;

/** A step's text on one line: a document makes it several. */
export const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ⏎ ");

/** What a step says may be meant to move the cursor of a terminal that it had for itself. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken away
const control = /\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

export const printable = (text: string): string => text.replace(control, "").replaceAll("\t", "    ");

/** Characters that take two columns of a terminal, roughly: East Asian scripts and pictures. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

const columnsOf = (character: string): number =>
  /^\p{Mark}$/u.test(character) ? 0 : wide.test(character) ? 2 : 1;

/** A text in exactly so many columns: cut with an ellipsis, or filled up. */
export function fit(text: string, columns: number): string {
  let used = 0;
  let whole = "";
  let cut = "";
  let cutColumns = 0;
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns) return `${cut}…${" ".repeat(Math.max(0, columns - cutColumns - 1))}`;
    whole += character;
    if (used < columns) {
      cut = whole;
      cutColumns = used;
    }
  }
  return whole + " ".repeat(columns - used);
}
