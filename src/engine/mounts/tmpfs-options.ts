import type { MountTmpfsOptions } from "@docker/node-sdk";
import { invalid } from "../../lib/errors.ts";

/** Words of mount(8) and of tmpfs(5) that `--tmpfs` takes. */
const flags = new Set(
  (
    "ro rw exec noexec suid nosuid dev nodev sync async dirsync atime noatime diratime nodiratime " +
    "relatime norelatime strictatime nostrictatime mand nomand private rprivate shared rshared slave rslave " +
    "unbindable runbindable"
  ).split(" "),
);
const values = new Set(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]);

/** Options of `--tmpfs path:options`. Throws dockerd's text for one that is unknown. */
export function checkTmpfsOptions(options: string): string[] {
  const list = options.split(",").filter((option) => option !== "");
  for (const option of list) {
    const equals = option.indexOf("=");
    const known = equals < 0 ? flags.has(option) : values.has(option.slice(0, equals));
    if (!known) throw invalid(`invalid tmpfs option ["${option}"]`);
  }
  return list;
}

/** Options of `--mount type=tmpfs`. */
export function tmpfsOptions(readOnly: boolean, options: MountTmpfsOptions | undefined): string[] {
  const { SizeBytes = 0, Mode = 0, Options = [] } = options ?? {};
  if (SizeBytes < 0) throw invalid(`invalid mount config for type "tmpfs": invalid tmpfs size: ${SizeBytes}`);
  const list = readOnly ? ["ro"] : [];
  if (Mode > 0) list.push(`mode=${Mode.toString(8)}`);
  if (SizeBytes > 0) list.push(`size=${SizeBytes}`);
  list.push(...Options.map((words) => words.join("=")));
  return checkTmpfsOptions(list.join(","));
}
