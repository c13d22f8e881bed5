// A virtual machine that runs one command on the files of this machine, with a kernel and control groups of its own.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chooseAccelerator } from "../../src/hypervisor/accelerator.ts";
import { type CpioEntry, cpioArchive } from "../../src/hypervisor/cpio.ts";
import { findGuestKernel, type GuestKernel } from "../../src/hypervisor/kernel.ts";
import { loadModules } from "../../src/hypervisor/kernel-modules.ts";
import { qemuArguments, qemuProgram } from "../../src/hypervisor/qemu.ts";

export interface GuestOptions {
  /** A shell script; its standard streams are the guest's output, its exit code the guest's. */
  command: string;
  /** Bytes. */
  memory: number;
  cpus: number;
  /** Milliseconds after which the guest is cut off. */
  timeout: number;
  onOutput(chunk: Buffer): void;
}

/** For its devices, its root, and what containers need of a kernel; nothing in the guest loads modules by itself. */
const modules =
  "virtio_pci virtio_blk virtio_console virtiofs ext4 overlay bfq veth bridge br_netfilter dummy tun nf_tables " +
  "nft_chain_nat nft_ct nft_nat nft_masq nft_redir nft_fib nft_fib_inet nft_reject nft_reject_inet nft_log " +
  "nft_limit nft_meta_bridge nft_reject_bridge nf_conntrack_bridge nf_nat nf_conntrack nf_conntrack_netlink";

/** Boots the guest, runs the command in it and powers it off. Returns the command's exit code. */
export async function runInGuest(options: GuestOptions): Promise<number> {
  const kernel = findGuestKernel();
  const directory = mkdtempSync(join(tmpdir(), "berth-guest-"));
  const children: ChildProcess[] = [];
  const interrupted = (): void => process.exit(130);
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const clean = (): void => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  };
  process.once("exit", clean);
  try {
    return await boot(kernel, directory, children, options);
  } finally {
    clean();
    process.off("exit", clean).off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

async function boot(
  kernel: GuestKernel,
  directory: string,
  children: ChildProcess[],
  { command, memory, cpus, timeout, onOutput }: GuestOptions,
): Promise<number> {
  const file = (name: string): string => join(directory, name);
  writeFileSync(file("initrd"), initrd(kernel, command));
  makeDisk(file("disk"));
  children.push(await share(file("share")));
  const qemu = spawn(
    qemuProgram,
    qemuArguments({
      name: "berth-test",
      chipset: "q35",
      accelerator: chooseAccelerator(),
      memory,
      cpus,
      boot: { image: kernel.image, initrd: file("initrd"), commandLine },
      devices: [
        { kind: "disk", id: "scratch", file: file("disk"), format: "raw" },
        { kind: "share", id: "host", tag: "host", socket: file("share") },
        { kind: "port", name: "output", socket: file("output") },
        { kind: "port", name: "status", socket: file("status") },
        { kind: "rng" },
      ],
      controlSocket: file("control"),
    }),
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  children.push(qemu);
  let console = "";
  for (const stream of [qemu.stdout, qemu.stderr])
    stream.on("data", (chunk: Buffer) => {
      console = (console + chunk.toString("latin1")).slice(-100_000);
    });
  const ended = new Promise<void>((done) => {
    qemu.on("close", () => done());
    qemu.on("error", ({ message }) => {
      console += message;
      done();
    });
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    qemu.kill("SIGKILL");
  }, timeout);
  let status = "";
  const output = await dial(file("output"), qemu);
  output?.on("data", onOutput);
  (await dial(file("status"), qemu))?.on("data", (chunk: Buffer) => {
    status += chunk.toString();
  });
  await ended;
  clearTimeout(timer);
  if (/^\d+\s*$/.test(status)) return Number(status);
  const why = late ? `is cut off after ${timeout / 1000} s` : "ended without a result";
  throw new Error(`the guest ${why}; the end of its console:\n${console.slice(-5000)}`);
}

/** Version 2 has every controller; panics end the guest; nothing slows the emulation for safety's sake. */
/** Where this project is, which the guest is to see at the same place. */
const checkout = resolve(import.meta.dirname, "../..");

const commandLine = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off", "cgroup_no_v1=all"];

function initrd(kernel: GuestKernel, command: string): Buffer {
  const loaded = loadModules(kernel, modules.split(" "));
  const script = (path: string, name: string): CpioEntry => ({
    kind: "file",
    path,
    mode: 0o755,
    content: readFileSync(join(import.meta.dirname, name)),
  });
  return cpioArchive([
    ...["bin", "dev", "proc", "sys", "modules"].map(
      (path): CpioEntry => ({ kind: "directory", path, mode: 0o755 }),
    ),
    { kind: "character-device", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
    { kind: "file", path: "bin/busybox", mode: 0o755, content: readFileSync("/bin/busybox") },
    ...loaded.map(
      ({ name, content }): CpioEntry => ({ kind: "file", path: `modules/${name}`, mode: 0o644, content }),
    ),
    {
      kind: "file",
      path: "modules/list",
      mode: 0o644,
      content: Buffer.from(loaded.map(({ name }) => `${name}\n`).join("")),
    },
    script("init", "init.sh"),
    script("inside.sh", "inside.sh"),
    { kind: "file", path: "command.sh", mode: 0o755, content: Buffer.from(`${command}\n`) },
    { kind: "file", path: "checkout", mode: 0o644, content: Buffer.from(`${checkout}\n`) },
  ]);
}

/** Sparse: it takes what is written to it. */
function makeDisk(path: string): void {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const options = ["-q", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1", path, "16G"];
  const { status, stderr, error } = spawnSync("mke2fs", options, { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`mke2fs: ${error?.message ?? stderr}`);
}

/** All files of this machine, for the guest to mount; it does so read-only. */
async function share(socket: string): Promise<ChildProcess> {
  const program = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"].find((path) => existsSync(path));
  if (!program) throw new Error("virtiofsd is missing: run scripts/setup.sh --with-vm");
  const server = spawn(program, [
    `--socket-path=${socket}`,
    ...["-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"],
  ]);
  let log = "";
  for (const stream of [server.stdout, server.stderr])
    stream.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-2000);
    });
  while (!existsSync(socket)) {
    if (server.exitCode !== null || server.signalCode !== null) throw new Error(`virtiofsd ended: ${log}`);
    await sleep(10);
  }
  return server;
}

/** A connection to a socket that QEMU is about to make; null when it has ended instead. */
async function dial(path: string, qemu: ChildProcess): Promise<Socket | null> {
  while (qemu.exitCode === null && qemu.signalCode === null) {
    const socket = await new Promise<Socket | null>((done) => {
      const attempt = connect(path, () => done(attempt));
      attempt.on("error", () => done(null));
    });
    if (socket) return socket;
    await sleep(10);
  }
  return null;
}
