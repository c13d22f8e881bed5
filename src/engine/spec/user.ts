import { invalid } from "../../lib/errors.ts";
import { type IsOpaque, readRootfsFile } from "../../lib/rootfs-file.ts";

export interface ResolvedUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  /** From /etc/passwd; "/" when the user is not listed. */
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

const NEWLINE = 10;
const MAX_ID = 0x7fffffff;
/** Of each file. dockerd reads them whatever their size, and this is far more than systems have. */
const MAX_FILE = 64 << 20;

/**
 * What `--user` and `--group-add` mean in this root filesystem: names and numbers by its passwd(5)
 * and group(5), as Docker resolves them. `roots` and `isOpaque` as for readRootfsFile.
 */
export function resolveUser(
  roots: readonly string[],
  user: string,
  groupAdd: readonly string[] = [],
  isOpaque: IsOpaque = () => false,
): ResolvedUser {
  const read = (path: string) => readRootfsFile(roots, path, { limit: MAX_FILE, isOpaque });
  const groups = read("/etc/group");
  const [userPart = "", groupPart = ""] = user.split(":");

  const entry = findUser(read("/etc/passwd"), userPart === "" ? "0" : userPart);
  const resolved: ResolvedUser = {
    uid: entry.uid,
    gid: entry.gid,
    additionalGids: [],
    home: entry.home || "/",
  };
  const extra = new Set<number>();
  if (groupPart !== "") {
    resolved.gid = findGroup(
      groups,
      groupPart,
      `unable to find group ${groupPart}: no matching entries in group file`,
    );
  } else if (entry.name !== "") {
    for (const group of groupEntries(groups)) if (group.members.includes(entry.name)) extra.add(group.gid);
  }
  for (const name of groupAdd) {
    extra.add(findGroup(groups, name, `Unable to find group ${name}: no matching entries in group file`));
  }
  // The primary group among them, or a setgid program could lose it and with it what the group is denied.
  resolved.additionalGids = [...new Set([resolved.gid, ...extra])];
  return resolved;
}

function findUser(passwd: Buffer | null, user: string): PasswdEntry {
  const named = passwdEntries(passwd).find((entry) => entry.name === user);
  if (named) return named;
  if (!/^[+-]?\d+$/.test(user))
    throw invalid(`unable to find user ${user}: no matching entries in passwd file`);
  const uid = checkId(user);
  return passwdEntries(passwd).find((entry) => entry.uid === uid) ?? { name: "", uid, gid: 0, home: "/" };
}

function findGroup(groups: Buffer | null, group: string, message: string): number {
  const named = groupEntries(groups).find((entry) => entry.name === group);
  if (named) return named.gid;
  if (!/^[+-]?\d+$/.test(group)) throw invalid(message);
  return checkId(group);
}

function checkId(text: string): number {
  const id = Number(text);
  if (id < 0 || id > MAX_ID) throw invalid(`uids and gids must be in range 0-${MAX_ID}`);
  return id;
}

function* passwdEntries(file: Buffer | null): Generator<PasswdEntry, undefined> {
  for (const [name = "", , uid = "", gid = "", , home = ""] of lines(file)) {
    if (isNumber(uid) && isNumber(gid)) yield { name, uid: Number(uid), gid: Number(gid), home };
  }
}

function* groupEntries(file: Buffer | null): Generator<GroupEntry, undefined> {
  for (const [name = "", , gid = "", members = ""] of lines(file)) {
    if (isNumber(gid)) yield { name, gid: Number(gid), members: members.split(",").filter(Boolean) };
  }
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

/** One line after the other: most searches end near the start. */
function* lines(file: Buffer | null): Generator<string[], undefined> {
  if (!file) return;
  for (let from = 0, to: number; from < file.length; from = to + 1) {
    to = file.indexOf(NEWLINE, from);
    if (to < 0) to = file.length;
    const line = file.toString("utf8", from, to).trim();
    if (line !== "" && !line.startsWith("#")) yield line.split(":");
  }
}
