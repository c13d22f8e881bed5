import { invalid } from "../../lib/errors.ts";

/** One change of permissions, as chmod(1) has it. */
interface Change {
  operator: "=" | "+" | "-";
  /** The bits that it is about. */
  who: number;
  set: number;
  /** Further bits of what is a directory or can be executed already. */
  setX: number;
  /** The class whose permissions are taken. */
  from: number | undefined;
}

/** A change of permissions: what is to be done one after the other. */
export type ModeChange = readonly Change[];

const classes: Record<string, number> = { u: 0o700, g: 0o070, o: 0o007 };
const rights: Record<string, number> = { r: 0o444, w: 0o222, x: 0o111 };

/** Reads --chmod: octal ("755"), or as chmod(1) has it ("u=rwX,g=u"). Throws INVALID_PARAMETER. */
export function parseChmod(text: string): ModeChange {
  if (/^0*[0-7]{1,4}$/.test(text))
    return [{ operator: "=", who: 0o7777, set: Number.parseInt(text, 8), setX: 0, from: undefined }];
  return text.split(",").flatMap((part) => {
    const [, who = "", changes = ""] = /^([ugoa]*)((?:[=+-](?:[rwxXst]*|[ugo]))+)$/.exec(part) ?? [];
    if (changes === "")
      throw invalid(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
    const all = who === "" || who.includes("a") ? "ugo" : who;
    return [...changes.matchAll(/([=+-])([^=+-]*)/g)].map(([, operator = "", what = ""]) =>
      change(all, operator as Change["operator"], what),
    );
  });
}

function change(who: string, operator: Change["operator"], what: string): Change {
  let mask = 0;
  for (const c of who) mask |= classes[c] ?? 0;
  const from = classes[what];
  let set = 0;
  for (const c of what) set |= (rights[c] ?? 0) & mask;
  if (what.includes("s")) set |= (who.includes("u") ? 0o4000 : 0) | (who.includes("g") ? 0o2000 : 0);
  if (what.includes("t")) set |= 0o1000;
  return { operator, who: mask, set, setX: what.includes("X") ? 0o111 & mask : 0, from };
}

/** The mode that one becomes. */
export function changeMode(changes: ModeChange, mode: number, isDirectory: boolean): number {
  let now = mode;
  for (const { operator, who, set, setX, from } of changes) {
    const taken = from === undefined ? 0 : spread(now & from) & who;
    const bits = set | taken | (isDirectory || (mode & 0o111) !== 0 ? setX : 0);
    if (operator === "-") now &= ~bits;
    else now = (operator === "=" ? now & ~who : now) | bits;
  }
  return now;
}

/** The permissions of one class for all of them. */
function spread(bits: number): number {
  const one = (bits >> 6) | (bits >> 3) | bits;
  return (one & 7) * 0o111;
}
