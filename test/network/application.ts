// The application that compose brings up: programs of this machine in an image, and its own files.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { TestDaemon } from "../support/daemon.ts";
import { busyboxLayer, dockerArchive, tarOf } from "../support/images.ts";

export const application = join(import.meta.dirname, "application");
const programs = ["/usr/bin/redis-server", "/usr/bin/redis-cli", realpathSync(process.execPath)];

/** Programs of this machine with the libraries they need, and the application's own files. */
function applicationLayer(): Buffer {
  const libraries = execFileSync("ldd", programs, { encoding: "utf8" });
  const files = new Map<string, string>();
  for (const [, path = ""] of libraries.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)) files.set(path.slice(1), path);
  for (const path of programs) files.set(`usr/bin/${path.split("/").at(-1)}`, path);
  for (const name of readdirSync(application)) files.set(`app/${name}`, join(application, name));
  const directories = new Set([...files.keys(), "data/x"].flatMap((name) => parents(name)));
  return tarOf([
    ...[...directories].map((name) => ({ name: `${name}/`, type: "directory" as const, mode: 0o755 })),
    ...[...files].map(([name, path]) => ({ name, mode: 0o755, data: readFileSync(path) })),
    { name: "etc/nsswitch.conf", mode: 0o644, data: "hosts: files dns\n" },
  ]);
}

const parents = (name: string): string[] => {
  const parts = name.split("/").slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join("/"));
};

/** Loads the image `shop`. */
export async function loadApplication(daemon: TestDaemon): Promise<void> {
  const image = { tags: ["shop:latest"], layers: [busyboxLayer(), applicationLayer()] };
  await daemon.ok(["load"], { input: dockerArchive([image]) });
}
