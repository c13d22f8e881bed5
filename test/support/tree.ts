// What is below a directory, with all that a layer can say of a file.
import { execFileSync } from "node:child_process";

/** Node has no extended attributes. */
const script = `
import hashlib, json, os, stat, sys
root, names, lines = sys.argv[1].encode(), {}, []
for where, directories, files in os.walk(root):
    directories.sort()
    for name in sorted(directories + files):
        path = os.path.join(where, name)
        s = os.lstat(path)
        kind = stat.filemode(s.st_mode)[0]
        own = os.path.relpath(path, root).decode("utf8", "backslashreplace")
        line = {"path": own, "mode": stat.filemode(s.st_mode), "owner": "%d:%d" % (s.st_uid, s.st_gid)}
        if kind != "d": line["mtime"] = s.st_mtime_ns
        if kind in "bc": line["device"] = s.st_rdev
        if kind == "l": line["to"] = os.readlink(path).decode()
        if kind == "-":
            with open(path, "rb") as f: line["content"] = hashlib.sha256(f.read()).hexdigest()
            line["size"], line["holes"] = s.st_size, s.st_blocks * 512 + 65536 < s.st_size
        if kind != "d" and s.st_nlink > 1: line["same"] = names.setdefault((s.st_dev, s.st_ino), own)
        line["attributes"] = {
            a: os.getxattr(path, a, follow_symlinks=False).hex()
            for a in sorted(os.listxattr(path, follow_symlinks=False)) if ".overlay." not in a
        }
        lines.append(json.dumps(line, sort_keys=True))
print("\\n".join(sorted(lines)))
`;

/** A line for each file, sorted: path, mode, owner, time, content, holes, hard links, attributes. */
export function treeOf(directory: string): string[] {
  return execFileSync("python3", ["-c", script, directory], { encoding: "utf8", maxBuffer: 2 ** 26 })
    .trim()
    .split("\n");
}
