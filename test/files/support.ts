// What the tests of files share: an image with something in it, the archive API, listings of archives.
import { request } from "node:http";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { readTar } from "../../src/lib/tar/read.ts";
import { busyboxLayer, tarOf } from "../support/images.ts";

/** An image with files, links, owners and a hard link below /data; VOLUMEs /data and /empty where asked. */
export const dataLayer = (): Buffer =>
  tarOf([
    { name: "data/", type: "directory", uid: 33, gid: 44 },
    { name: "data/file", data: "hi\n", uid: 33, gid: 44 },
    { name: "data/hard", type: "link", linkname: "data/file", uid: 33, gid: 44 },
    { name: "data/link", type: "symlink", linkname: "file", mode: 0o777 },
    { name: "data/sub/", type: "directory" },
    { name: "data/sub/x", data: "x\n" },
    { name: "absl", type: "symlink", linkname: "/data", mode: 0o777 },
    { name: "etc/rel", type: "symlink", linkname: "../../../../data/sub", mode: 0o777 },
  ]);

export const layers = (): Buffer[] => [busyboxLayer(), dataLayer()];

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** One request to a daemon's socket. */
export function call(socket: string, method: string, path: string, body?: Buffer | object): Promise<Answer> {
  const archive = Buffer.isBuffer(body);
  const data = body === undefined ? undefined : archive ? body : JSON.stringify(body);
  return new Promise((done, fail) => {
    const headers = {
      "Content-Type": archive ? "application/x-tar" : "application/json",
      "Content-Length": data === undefined ? 0 : Buffer.byteLength(data),
    };
    const outgoing = request(
      { socketPath: socket, method, path: `/v1.41${path}`, headers, agent: false },
      (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("error", fail);
        incoming.on("end", () =>
          done({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(parts) }),
        );
      },
    );
    outgoing.on("error", fail);
    outgoing.end(data);
  });
}

/** The message of an answer that is an error. */
export const message = ({ body }: Answer): string => JSON.parse(body.toString()).message;

export const archiveUrl = (container: string, path: string, more = ""): string =>
  `/containers/${container}/archive?path=${encodeURIComponent(path)}${more}`;

/** What an archive holds: "type mode uid:gid size name -> link", the size of files alone. */
export async function listing(archive: Buffer): Promise<string[]> {
  const lines: string[] = [];
  for await (const { entry } of readTar(Readable.from([archive]))) {
    const { type, mode, uid, gid, size, name, linkname } = entry;
    const target = linkname === "" ? "" : ` -> ${posix.normalize(linkname)}`;
    const bytes = type === "file" ? ` ${size}` : "";
    lines.push(`${type} ${(mode & 0o7777).toString(8)} ${uid}:${gid}${bytes} ${name}${target}`);
  }
  return lines;
}

/** The decoded X-Docker-Container-Path-Stat of an answer. */
export function pathStat({ headers }: Answer): Record<string, unknown> {
  const header = headers["x-docker-container-path-stat"];
  return JSON.parse(Buffer.from(String(header), "base64").toString());
}
