import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { BerthError } from "../lib/errors.ts";

/** A kernel to boot guests with, and its modules. */
export interface GuestKernel {
  /** As `uname -r` in the guest says: "6.1.0-56-cloud-amd64". */
  version: string;
  /** The compressed kernel, for QEMU's -kernel. */
  image: string;
  /** The directory that holds `kernel/` and `modules.order`. */
  modules: string;
}

const prefix = "vmlinuz-";

/**
 * The guest kernel: the configured image, else the newest of those that scripts/setup.sh unpacked and of the
 * host's own, where kernels made for virtual machines go first.
 */
export function findGuestKernel(configured?: string, roots: readonly string[] = defaultRoots()): GuestKernel {
  if (configured) return configuredKernel(resolve(configured));
  for (const root of roots) {
    const [best] = kernelsBelow(root);
    if (best) return best;
  }
  throw new BerthError(
    "UNAVAILABLE",
    "there is no kernel for virtual machines: run `scripts/setup.sh --with-vm`, or install linux-image-cloud-amd64, " +
      "or name a kernel image whose modules are installed with `berth daemon --guest-kernel`",
  );
}

/** Where the modules of a kernel image may be: below the same root, or among the host's. */
function modulesOf(image: string, version: string): string | undefined {
  const root = dirname(dirname(image));
  return [
    join(root, "lib/modules", version),
    join(root, "usr/lib/modules", version),
    `/lib/modules/${version}`,
  ].find((directory) => existsSync(join(directory, "kernel")));
}

function configuredKernel(image: string): GuestKernel {
  const fail = (message: string) => new BerthError("UNAVAILABLE", `the guest kernel ${image} ${message}`);
  if (!existsSync(image)) throw fail("does not exist");
  const name = basename(image);
  if (!name.startsWith(prefix))
    throw fail(`must be named ${prefix}VERSION, so that its modules can be found`);
  const version = name.slice(prefix.length);
  const modules = modulesOf(image, version);
  if (!modules) throw fail(`has no modules: neither below its own root nor in /lib/modules/${version}`);
  return { version, image, modules };
}

function kernelsBelow(root: string): GuestKernel[] {
  const boot = join(root, "boot");
  const names = existsSync(boot) ? readdirSync(boot) : [];
  return names
    .filter((name) => name.startsWith(prefix))
    .flatMap((name) => {
      const image = join(boot, name);
      const version = name.slice(prefix.length);
      const modules = modulesOf(image, version);
      return modules ? [{ version, image, modules }] : [];
    })
    .sort(byFitness);
}

const isCloud = ({ version }: GuestKernel): boolean => version.includes("cloud");

/** Kernels for virtual machines first, then the newest. */
function byFitness(a: GuestKernel, b: GuestKernel): number {
  if (isCloud(a) !== isCloud(b)) return isCloud(a) ? -1 : 1;
  return b.version.localeCompare(a.version, "en", { numeric: true });
}

/** The directory into which scripts/setup.sh unpacks a kernel, beside this program, then the host's own root. */
function defaultRoots(): string[] {
  const roots = ["/"];
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const own = join(directory, ".cache/guest-kernel");
    if (existsSync(own)) return [own, ...roots];
    if (directory === dirname(directory)) return roots;
  }
}
