import { invalid } from "../../lib/errors.ts";
import { readRootfsFile } from "../../lib/rootfs-file.ts";

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

const MAX_ID = 0x7fffffff;

/**
 * What `--user` and `--group-add` mean in this root filesystem: names and numbers by its passwd(5)
 * and group(5), as Docker resolves them. `roots` as for readRootfsFile.
 */
export function resolveUser(
  roots: readonly string[],
  user: string,
  groupAdd: readonly string[] = [],
): ResolvedUser {
  const passwd = parsePasswd(readRootfsFile(roots, "/etc/passwd"));
  const groups = parseGroup(readRootfsFile(roots, "/etc/group"));
  const [userPart = "", groupPart = ""] = user.split(":");

  const entry = findUser(passwd, userPart === "" ? "0" : userPart);
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
    for (const group of groups) if (group.members.includes(entry.name)) extra.add(group.gid);
  }
  for (const name of groupAdd) {
    extra.add(findGroup(groups, name, `Unable to find group ${name}: no matching entries in group file`));
  }
  // The primary group among them, or a setgid program could lose it and with it what the group is denied.
  resolved.additionalGids = [...new Set([resolved.gid, ...extra])];
  return resolved;
}

function findUser(passwd: PasswdEntry[], user: string): PasswdEntry {
  const named = passwd.find((entry) => entry.name === user);
  if (named) return named;
  if (!/^[+-]?\d+$/.test(user))
    throw invalid(`unable to find user ${user}: no matching entries in passwd file`);
  const uid = checkId(user);
  return passwd.find((entry) => entry.uid === uid) ?? { name: "", uid, gid: 0, home: "/" };
}

function findGroup(groups: GroupEntry[], group: string, message: string): number {
  const named = groups.find((entry) => entry.name === group);
  if (named) return named.gid;
  if (!/^[+-]?\d+$/.test(group)) throw invalid(message);
  return checkId(group);
}

function checkId(text: string): number {
  const id = Number(text);
  if (id < 0 || id > MAX_ID) throw invalid(`uids and gids must be in range 0-${MAX_ID}`);
  return id;
}

function parsePasswd(file: Buffer | null): PasswdEntry[] {
  return lines(file).flatMap((fields) => {
    const [name = "", , uid = "", gid = "", , home = ""] = fields;
    return isNumber(uid) && isNumber(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [];
  });
}

function parseGroup(file: Buffer | null): GroupEntry[] {
  return lines(file).flatMap((fields) => {
    const [name = "", , gid = "", members = ""] = fields;
    return isNumber(gid) ? [{ name, gid: Number(gid), members: members.split(",").filter(Boolean) }] : [];
  });
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

function lines(file: Buffer | null): string[][] {
  if (!file) return [];
  return file
    .toString("utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}
