import { createHash } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTar } from "../../src/lib/tar/read.ts";
import type { Result, RunOptions } from "../support/daemon.ts";

/** A daemon that docker talks to. */
export interface Docker {
  docker(args: readonly string[], options?: RunOptions): Promise<Result>;
  ok(args: readonly string[], options?: RunOptions): Promise<string>;
}

/** The files of an image, a line each: all but times, and times too below `/timed`. */
export async function filesOf(daemon: Docker, image: string): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "berth-same-"));
  const id = await daemon.ok(["create", image, "x"]);
  // Not of the image: the places of volumes, which some make when a container is created.
  const inspected = await daemon.ok(["image", "inspect", "-f", "{{json .Config.Volumes}}", image]);
  const volumes = Object.keys(JSON.parse(inspected) ?? {});
  try {
    const file = join(directory, "all.tar");
    await daemon.ok(["export", "-o", file, id]);
    const lines: string[] = [];
    for await (const { entry, data } of readTar(createReadStream(file))) {
      const hash = createHash("sha256");
      for await (const chunk of data) hash.update(chunk);
      const path = `/${entry.name.replace(/^\.?\/+|\/+$/g, "")}`;
      // What the daemon itself puts into every container.
      if (
        /^\/(\.dockerenv|dev(\/.*)?|proc|sys|etc\/(hostname|hosts|resolv\.conf|mtab)|run)?$/.test(path) ||
        volumes.includes(path)
      )
        continue;
      // A directory that a step made has the step's time.
      const isTimed =
        path.startsWith("/timed/") && (entry.type !== "directory" || path.split("/").length > 3);
      const time = isTimed ? ` ${entry.mtime / 1_000_000_000n}` : "";
      const content = entry.type === "file" ? ` ${entry.size} ${hash.digest("hex").slice(0, 16)}` : "";
      const link = entry.linkname ? ` -> ${entry.linkname}` : "";
      lines.push(
        `${path} ${entry.type} ${(entry.mode & 0o7777).toString(8)} ${entry.uid}:${entry.gid}${content}${link}${time}`,
      );
    }
    return lines.sort();
  } finally {
    await daemon.ok(["rm", id]);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What an image's configuration says, field by field, without what no two builds share. */
export async function configOf(daemon: Docker, image: string): Promise<Record<string, unknown>> {
  const [found] = JSON.parse(await daemon.ok(["image", "inspect", image]));
  const { Architecture, Os, Author, Config } = found;
  const fields = [
    ...["User", "ExposedPorts", "Env", "Cmd", "Healthcheck", "Volumes", "WorkingDir", "Entrypoint"],
    ...["OnBuild", "Labels", "StopSignal", "Shell"],
  ];
  const config = fields.map((name): [string, unknown] => {
    const value = Config[name];
    const isEmpty =
      value === undefined || value === null || value === "" || Object.keys(Object(value)).length === 0;
    return [name, isEmpty ? null : value];
  });
  return { Architecture, Os, Author, ...Object.fromEntries(config) };
}
