import { constants } from "node:os";
import { invalid } from "./errors.ts";

const names: Record<string, number> = constants.signals;
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** A signal's number from "9", "KILL", "SIGKILL" or "RTMIN+3" (signal(7)). Throws dockerd's text for others. */
export function signalNumber(signal: string): number {
  if (/^\d+$/.test(signal)) {
    const number = Number(signal);
    if (number >= 1 && number <= SIGRTMAX) return number;
    throw invalid(
      number === 0 ? `invalid signal: ${signal}` : `the linux daemon does not support signal ${number}`,
    );
  }
  const name = signal.toUpperCase().replace(/^SIG/, "");
  const known = names[`SIG${name}`];
  if (known !== undefined) return known;
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime) {
    const offset = Number(realtime[3] ?? 0) * (realtime[2] === "-" ? -1 : 1);
    const number = (realtime[1] === "MIN" ? SIGRTMIN : SIGRTMAX) + offset;
    if (number >= SIGRTMIN && number <= SIGRTMAX) return number;
  }
  throw invalid(`invalid signal: ${signal}`);
}

/** "KILL" for 9; the number itself where there is no name. */
export function signalName(number: number): string {
  const entry = Object.entries(names).find(([, value]) => value === number);
  return entry ? entry[0].slice(3) : String(number);
}
