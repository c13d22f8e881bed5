import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { tarOf } from "../support/images.ts";

/** An archive with all that one may hold. */
export const tarWith = (): Buffer =>
  tarOf([
    { name: "in/", type: "directory", mode: 0o750, uid: 3, gid: 4 },
    { name: "in/file", data: "in\n", uid: 5, gid: 6, mode: 0o600 },
    { name: "in/setuid", data: "s", mode: 0o4755 },
    { name: "in/hard", type: "link", linkname: "in/file", uid: 5, gid: 6, mode: 0o600 },
    { name: "in/link", type: "symlink", linkname: "file" },
    { name: "in/fifo", type: "fifo" },
    { name: "new/deep/file", data: "deep" },
  ]);

export const gzip = (data: Buffer): Buffer => gzipSync(data);
export const bzip2 = (data: Buffer): Buffer => execFileSync("bzip2", ["-c"], { input: data });
export const xz = (data: Buffer): Buffer => execFileSync("xz", ["-c"], { input: data });
export const zstd = (data: Buffer): Buffer => execFileSync("zstd", ["-c", "-q"], { input: data });
