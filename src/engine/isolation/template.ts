import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Device } from "../../hypervisor/devices.ts";
import { GuestChannel, newToken } from "../../hypervisor/guest/channel.ts";
import { guestArguments } from "../../hypervisor/guest/machine.ts";
import { isObject } from "../../hypervisor/json-lines.ts";
import { qemuArguments } from "../../hypervisor/qemu.ts";
import { Qmp } from "../../hypervisor/qmp.ts";
import { type Template, type TemplateSize, templateSlots } from "../../hypervisor/template.ts";
import { system } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { removeCgroup } from "../../runtime/cgroup/remove.ts";
import type { Shim } from "../../runtime/types.ts";
import type { EngineContext } from "../context.ts";
import { sandbox } from "../machines/sandbox.ts";
import { loopbackOnly } from "../network/attach.ts";

/** Milliseconds that a guest may take to come up, and a state to be written. */
const bootTimeout = 60_000;
const saveTimeout = 120_000;
const pollMs = 10;
/** Until the guest has told which pages it does not use, every two seconds: they need not be kept. */
const settleMs = 3000;
const overhead = 256 * 2 ** 20;
const SIGKILL = 9;

/** Where the hypervisor sees its sockets. */
const inside = "/machine";
const sockets = {
  control: "control.sock",
  channel: "channel.sock",
  streams: "streams.sock",
  state: "state.sock",
};

/**
 * Boots a container's machine of this size up to where it waits for its container, and keeps its state. Machines
 * that go on from it are there at once.
 */
export async function makeTemplate(context: EngineContext, size: TemplateSize): Promise<Template> {
  const tools = context.machines.tools();
  const directory = mkdtempSync(join(context.state.paths.temporary, "template-"));
  const run = join(directory, "machine");
  for (const path of ["rw/upper", "rw/work", "machine"])
    mkdirSync(join(directory, path), { recursive: true, mode: 0o711 });
  const id = newId();
  const token = newToken();
  const idRange = context.idRanges.take();
  const cgroupPath = join("/", context.cgroupParent, id);
  let shim: Shim | null = null;
  try {
    const kernel = "/boot/kernel";
    const initrd = "/boot/initrd";
    const args = qemuArguments({
      name: "template",
      chipset: "microvm",
      accelerator: tools.accelerator,
      ...size,
      boot: { image: kernel, initrd, commandLine: guestArguments(token) },
      controlSocket: `${inside}/${sockets.control}`,
      devices: devices(),
    });
    shim = await context.runtime.start(
      sandbox(
        context,
        {
          id,
          directory,
          cgroupPath,
          idRange,
          limits: { Memory: size.memory + overhead },
          log: { driver: "none", path: "", maxSize: 0, maxFile: 0 },
          waitForAttach: 0,
        },
        {
          args: [tools.emulator, ...args],
          shares: [
            { source: run, destination: inside, writable: true },
            { source: tools.kernel.image, destination: kernel },
            { source: tools.initrd, destination: initrd },
          ],
          network: loopbackOnly,
          taps: [],
          terminal: false,
          nodes: tools.accelerator.name === "kvm" ? ["/dev/kvm"] : [],
        },
      ),
    );
    const saved = join(directory, "state");
    await save(run, token, saved, shim);
    return context.machines.templates.add(tools, size, token, saved);
  } finally {
    if (shim) {
      await shim.signal(SIGKILL).catch(() => undefined);
      await shim.exited.catch(() => undefined);
      await shim.dispose();
    }
    await removeCgroup(context.cgroups, cgroupPath);
    context.idRanges.release(idRange);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The same as a container's machine has, in the same order, but for what is put into the slots. */
const devices = (): Device[] => [
  { kind: "port", name: "berth.control", socket: `${inside}/${sockets.channel}` },
  { kind: "port", name: "berth.stdio", socket: `${inside}/${sockets.streams}` },
  { kind: "balloon" },
  ...templateSlots,
];

async function save(run: string, token: string, file: string, shim: Shim): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  shim.exited.then(end, end);
  const qmp = await Qmp.connect(join(run, sockets.control));
  try {
    const channel = await GuestChannel.open(join(run, sockets.channel), token, {
      timeoutMs: bootTimeout,
      signal: ended.signal,
    });
    channel.close();
    await sleep(settleMs);
    await qmp.execute("stop");
    await qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 40 });
    const received = await receive(join(run, sockets.state), file);
    try {
      await qmp.execute("migrate", { uri: `unix:${inside}/${sockets.state}` });
      await completed(qmp);
      await received.whole;
    } finally {
      received.server.close();
    }
  } finally {
    qmp.close();
  }
}

/** Listens for one connection whose bytes go into a file. */
async function receive(socket: string, file: string): Promise<{ server: Server; whole: Promise<void> }> {
  const whole = Promise.withResolvers<void>();
  whole.promise.catch(() => undefined);
  const server = createServer((connection) => {
    server.close();
    pipeline(connection, createWriteStream(file, { flags: "wx", mode: 0o600 })).then(
      whole.resolve,
      whole.reject,
    );
  });
  server.on("error", whole.reject);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
  return { server, whole: whole.promise };
}

async function completed(qmp: Qmp): Promise<void> {
  for (const deadline = Date.now() + saveTimeout; Date.now() < deadline; await sleep(pollMs)) {
    const answer = await qmp.execute("query-migrate");
    const { status, "error-desc": why } = isObject(answer) ? answer : {};
    if (status === "completed") return;
    if (status === "failed" || status === "cancelled")
      throw system(`the hypervisor could not save the template: ${why ?? status}`);
  }
  throw system("the hypervisor did not finish saving the template");
}
