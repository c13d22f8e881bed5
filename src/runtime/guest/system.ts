import { MS_MOVE } from "../linux.ts";
import { Writer, writePlan } from "../plan/encode.ts";
import { anyErrno, Plan } from "../plan/plan.ts";

const O_WRONLY_CREAT_TRUNC = 0o1101;
const ENOENT = 2;
const deviceWait = 20_000;

/** Where the guest's system is and what it is told of its place in the world. */
export interface GuestSystem {
  /** The disk's node in the guest. */
  device: string;
  hostname: string;
  /** Files to write below the system's root; a directory that is missing is no failure. */
  files: readonly { path: string; content: string }[];
  /** Names of links that must be there before the messages. */
  links: readonly string[];
  /** Netlink messages that furnish them. */
  messages: readonly { message: Buffer; why: string }[];
}

/** Who may be a system's first program. */
const inits = ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"];
const environment = "HOME=/\0TERM=linux\0PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0";

/** The plan by which a guest's first process becomes the init of the system on its disk. */
export function planSystem({ device, hostname, files, links, messages }: GuestSystem): Plan {
  const plan = new Plan().group("network");
  for (const link of links)
    plan.add("host", "await_path", [`/sys/class/net/${link}`, deviceWait], "its driver makes it");
  for (const { message, why } of messages) plan.add("host", "netlink", [0, null, -1, message], why);
  plan.group("root file system");
  plan.add("host", "await_path", [device, deviceWait], "its driver makes it");
  plan.add("host", "mkdirat", [null, "/root", 0o755], "", anyErrno);
  plan.add("host", "mount", [device, "/root", "ext4", 0, ""], "the system's disk");
  for (const path of ["/dev", "/proc", "/sys"]) {
    plan.add("host", "mkdirat", [null, `/root${path}`, 0o755], "", anyErrno);
    plan.add("host", "mount", [path, `/root${path}`, "", MS_MOVE, ""], "the system has it, too");
  }
  plan.add("host", "chdir", ["/root"], "");
  plan.add("host", "mount", [".", "/", "", MS_MOVE, ""], "the disk becomes the root");
  plan.add("host", "chroot", ["."], "");
  plan.add("host", "chdir", ["/"], "");
  plan.group("hostname");
  plan.add("host", "sethostname", [hostname], "");
  for (const { path, content } of files) {
    const slot = plan.slot(path);
    plan.add("host", "openat", [slot, null, path, O_WRONLY_CREAT_TRUNC, 0o644], "", anyErrno);
    plan.add("host", "write", [slot, content], path, anyErrno);
  }
  plan.group("process");
  for (const init of inits)
    plan.add("host", "execve", [`${init}\0`, environment], "the system's own init", ENOENT);
  return plan;
}

/** A plan as the launcher reads it from a file. */
export function planBytes(plan: Plan): Buffer {
  const writer = new Writer();
  writePlan(writer, plan);
  return writer.finish();
}
