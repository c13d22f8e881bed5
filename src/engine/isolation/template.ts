import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { GuestChannel, newToken } from "../../hypervisor/guest/channel.ts";
import type { MachineTools } from "../../hypervisor/guest/machine.ts";
import {
  bootFiles,
  templateArguments,
  templateSource,
  writeKernelHead,
} from "../../hypervisor/guest/template.ts";
import { isObject } from "../../hypervisor/json-lines.ts";
import { Qmp } from "../../hypervisor/qmp.ts";
import { type Template, type TemplateSize, templateFiles } from "../../hypervisor/template.ts";
import { system } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { sparseCopy } from "../../lib/sparse-copy.ts";
import { removeCgroup } from "../../runtime/cgroup/remove.ts";
import type { Shim } from "../../runtime/types.ts";
import type { EngineContext } from "../context.ts";
import { sandbox } from "../machines/sandbox.ts";
import { loopbackOnly } from "../network/attach.ts";
import { memoryStays } from "./resume.ts";

/** Milliseconds that a guest may take to come up, and a state to be written. */
const bootTimeout = 60_000;
const saveTimeout = 120_000;
const pollMs = 10;
/** Until the guest has told which pages it does not use, every two seconds: they need not be kept. */
const settleMs = 3000;
/** What the hypervisor needs beside the guest's memory, and of the processors beside others: an eighth. */
const overhead = 256 * 2 ** 20;
const cpuShares = 128;
const SIGKILL = 9;

/** Where the hypervisor sees its files. */
const inside = "/machine";
const files = {
  memory: "memory",
  monitor: "monitor.sock",
  control: "control.sock",
  streams: "streams.sock",
  state: "state.sock",
} as const;
const seen = (file: keyof typeof files): string => join(inside, files[file]);

/**
 * Boots a container's machine of this size up to where it waits for its container, and keeps its state. Machines
 * that go on from it are there at once. Nothing stays when that fails or `signal` is aborted.
 */
export async function makeTemplate(
  context: EngineContext,
  size: TemplateSize,
  signal: AbortSignal,
): Promise<Template> {
  const tools = context.machines.tools();
  const directory = mkdtempSync(join(context.state.paths.temporary, "template-"));
  const [run, kept] = [join(directory, "machine"), join(directory, "kept")];
  for (const path of ["rw/upper", "rw/work", "machine", "kept"])
    mkdirSync(join(directory, path), { recursive: true, mode: 0o711 });
  const token = newToken();
  try {
    await inSandbox(context, { tools, size, token, directory, run }, async (ended) => {
      const given = AbortSignal.any([signal, ended]);
      await save(run, token, join(kept, templateFiles.state), given);
    });
    signal.throwIfAborted();
    await sparseCopy(join(run, files.memory), join(kept, templateFiles.saved), 0o600);
    await writeKernelHead(tools, join(kept, templateFiles.kernelHead));
    return await context.machines.templates.add(templateSource(tools), size, token, kept);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface TemplateMachine {
  tools: MachineTools;
  size: TemplateSize;
  token: string;
  directory: string;
  run: string;
}

/** Runs the template's machine while `work` does; the signal it is given tells of the machine's end. */
async function inSandbox(
  context: EngineContext,
  { tools, size, token, directory, run }: TemplateMachine,
  work: (ended: AbortSignal) => Promise<void>,
): Promise<void> {
  const id = newId();
  const idRange = context.idRanges.take();
  const cgroupPath = join("/", context.cgroupParent, id);
  const args = templateArguments(tools, size, token, {
    memory: seen("memory"),
    monitor: seen("monitor"),
    control: seen("control"),
    streams: seen("streams"),
  });
  const owner = {
    ...{ id, directory, cgroupPath, idRange },
    limits: { Memory: size.memory + overhead, CpuShares: cpuShares },
    log: { driver: "none" as const, path: "", maxSize: 0, maxFile: 0 },
    waitForAttach: 0,
  };
  let shim: Shim | null = null;
  try {
    shim = await context.runtime.start(
      sandbox(context, owner, {
        args: [tools.emulator, ...args],
        shares: [{ source: run, destination: inside, writable: true }, ...bootFiles(tools)],
        network: loopbackOnly,
        taps: [],
        terminal: false,
        nodes: tools.accelerator.name === "kvm" ? ["/dev/kvm"] : [],
      }),
    );
    const ended = new AbortController();
    const end = (): void => ended.abort(system("the template's hypervisor ended"));
    shim.exited.then(end, end);
    await work(ended.signal);
  } finally {
    if (shim) {
      await shim.signal(SIGKILL).catch(() => undefined);
      await shim.exited.catch(() => undefined);
      await shim.dispose();
    }
    await removeCgroup(context.cgroups, cgroupPath);
    context.idRanges.release(idRange);
  }
}

async function save(run: string, token: string, file: string, signal: AbortSignal): Promise<void> {
  const qmp = await Qmp.connect(join(run, files.monitor), { timeout: bootTimeout, signal });
  const stop = (): void => qmp.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const channel = await GuestChannel.open(join(run, files.control), token, {
      timeoutMs: bootTimeout,
      signal,
    });
    channel.close();
    await sleep(settleMs, undefined, { signal });
    await qmp.execute("stop");
    await qmp.execute("migrate-set-capabilities", memoryStays);
    const received = await receive(join(run, files.state), file);
    try {
      await qmp.execute("migrate", { uri: `unix:${seen("state")}` });
      await completed(qmp);
      await received.whole;
    } finally {
      received.server.close();
    }
  } finally {
    signal.removeEventListener("abort", stop);
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
