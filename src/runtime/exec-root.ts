import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { system } from "../lib/errors.ts";
import { makeDirectories } from "../lib/make-directories.ts";
import { errnoName } from "./launch-error.ts";
import type { Launcher } from "./launcher/launcher.ts";
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID } from "./linux.ts";
import { Plan } from "./plan/plan.ts";

/** f_type of a tmpfs, statfs(2). */
const TMPFS_MAGIC = 0x01021994;
/** The source that names our mount in mountinfo. */
const SOURCE = "berth";

/**
 * Makes the directory for what need not survive a reboot a tmpfs, unless it is one already (/run mostly
 * is): sockets, pid files and name files come and go with every container, and a disk makes each cost.
 */
export async function prepareExecRoot(launcher: Launcher, execRoot: string): Promise<void> {
  makeDirectories(execRoot, 0o711);
  if (statfsSync(execRoot).type === TMPFS_MAGIC) return;
  // Shims that live there already must stay reachable.
  if (shims(execRoot).length > 0) return;
  const plan = new Plan().group("mounts");
  plan.add(
    "host",
    "mount",
    [SOURCE, execRoot, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711"],
    "what need not survive a reboot",
  );
  await run(launcher, plan, `cannot mount a tmpfs on ${execRoot}`);
}

/** Unmounts what `prepareExecRoot` mounted when no container needs it. */
export async function releaseExecRoot(launcher: Launcher, execRoot: string): Promise<void> {
  if (!isOurMount(execRoot) || shims(execRoot).length > 0) return;
  const plan = new Plan().group("mounts");
  plan.add("host", "umount2", [execRoot, MNT_DETACH], "nothing in it is needed any more");
  await run(launcher, plan, `cannot unmount ${execRoot}`);
}

function shims(execRoot: string): string[] {
  const directory = join(execRoot, "shims");
  return existsSync(directory) ? readdirSync(directory) : [];
}

/** Looks for the mount in proc(5)'s mountinfo: field 5 is the mount point, the source follows the separator. */
function isOurMount(path: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => {
      const [before = "", after = ""] = line.split(" - ");
      return unescapeOctal(before.split(" ")[4] ?? "") === path && after.startsWith(`tmpfs ${SOURCE} `);
    });
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

async function run(launcher: Launcher, plan: Plan, what: string): Promise<void> {
  const result = await launcher.run(plan);
  if (!Array.isArray(result)) throw system(`${what}: ${result.text || errnoName(result.errno)}`);
}
