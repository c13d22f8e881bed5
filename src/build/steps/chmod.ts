import { invalid } from "../../lib/errors.ts";

/** A change of permissions: bits to take away, to add, and to add where something is a directory or runs. */
export interface ModeChange {
  clear: number;
  set: number;
  setX: number;
}

const classes: Record<string, number> = { u: 0o700, g: 0o070, o: 0o007 };
const rights: Record<string, number> = { r: 0o444, w: 0o222, x: 0o111 };

/** Reads --chmod: octal ("755"), or as chmod(1) has it ("u=rwX,go=rX"). Throws INVALID_PARAMETER. */
export function parseChmod(text: string): ModeChange {
  if (/^[0-7]{1,4}$/.test(text)) return { clear: 0o7777, set: Number.parseInt(text, 8), setX: 0 };
  const change: ModeChange = { clear: 0, set: 0, setX: 0 };
  for (const part of text.split(",")) {
    const [, who = "", operator = "", what = ""] = /^([ugoa]*)([=+-])([rwxXst]*)$/.exec(part) ?? [];
    if (operator === "")
      throw invalid(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
    apply(change, who === "" || who.includes("a") ? "ugo" : who, operator, what);
  }
  return change;
}

function apply(change: ModeChange, who: string, operator: string, what: string): void {
  let mask = 0;
  for (const c of who) mask |= classes[c] ?? 0;
  let bits = 0;
  for (const c of what) bits |= (rights[c] ?? 0) & mask;
  if (what.includes("s")) bits |= (who.includes("u") ? 0o4000 : 0) | (who.includes("g") ? 0o2000 : 0);
  if (what.includes("t")) bits |= 0o1000;
  const running = what.includes("X") ? 0o111 & mask : 0;
  if (operator === "=") change.clear |= mask;
  if (operator === "-") {
    change.clear |= bits;
    change.set &= ~bits;
    return;
  }
  change.set = (operator === "=" ? change.set & ~mask : change.set) | bits;
  change.setX |= running;
}
