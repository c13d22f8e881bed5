import type { BuildMessage } from "../../lib/build-events.ts";
import { tty } from "../builtin.ts";
import { CliError } from "../errors.ts";
import { err } from "../io/output.ts";
import { liveView } from "./live-view.ts";
import { plainView } from "./plain-view.ts";

/** Shows what happens in a build. */
export interface BuildView {
  show(message: BuildMessage): void;
  /** Nothing more comes; `failed` keeps the last lines of what did not end. */
  close(failed: boolean): void;
}

/** The values of `--progress`. */
export const progressKinds = ["auto", "plain", "tty", "rawjson", "quiet"] as const;

/** The view that `--progress` asks for; null shows nothing. Throws `CliError`. */
export function chooseView(progress: string, quiet: boolean): BuildView | null {
  const kind = progressKinds.find((known) => known === progress);
  if (!kind)
    throw new CliError(`invalid progress ${JSON.stringify(progress)}: one of ${progressKinds.join(", ")}`);
  if (quiet || kind === "quiet") return null;
  if (kind === "rawjson") return rawView();
  return kind === "tty" || (kind === "auto" && tty.isatty(2)) ? liveView() : plainView();
}

/** What the daemon says, a line of JSON each with its time. */
const rawView = (): BuildView => ({
  show: (message) => err(`${JSON.stringify({ time: new Date().toISOString(), ...message })}\n`),
  close: () => undefined,
});
