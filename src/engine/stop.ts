import { BerthError, conflict, notModified } from "../lib/errors.ts";
import { signalNumber } from "../lib/signals.ts";
import type { Shim } from "../runtime/types.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { isIsolated } from "./isolation/isolation.ts";
import { startContainer } from "./lifecycle.ts";
import { shutDown } from "./machines/agent.ts";
import { isMachine } from "./machines/record.ts";
import { thaw } from "./pause.ts";
import { recordFact } from "./record-fact.ts";
import type { StopOptions } from "./types.ts";

const DEFAULT_TIMEOUT_S = 10;
const SIGKILL = 9;

/** `docker stop`: the stop signal, then SIGKILL after the timeout. Throws NOT_MODIFIED when it does not run. */
export async function stopContainer(
  context: EngineContext,
  container: Container,
  options: StopOptions = {},
): Promise<void> {
  if (!container.running && container.status !== "restarting") {
    throw notModified(`container ${container.id} is already stopped`);
  }
  await terminate(context, container, options);
  containerEvent(context, container, "stop");
}

/** `docker restart`: a stop where it runs, then a start. */
export async function restartContainer(
  context: EngineContext,
  container: Container,
  options: StopOptions = {},
): Promise<void> {
  if (container.running || container.status === "restarting") {
    container.held = true;
    try {
      await terminate(context, container, options);
    } finally {
      container.held = false;
    }
    containerEvent(context, container, "stop");
  }
  try {
    await startContainer(context, container);
  } catch (error) {
    // Somebody started it between its end and here.
    if (!(error instanceof BerthError && error.code === "NOT_MODIFIED")) throw error;
  }
  containerEvent(context, container, "restart");
}

/** `docker kill`: one signal; throws dockerd's text when there is no process. */
export async function killContainer(
  context: EngineContext,
  container: Container,
  number: number,
): Promise<void> {
  const { shim } = container;
  if (!container.running || !shim) {
    throw conflict(`container ${container.id} is not running`);
  }
  // Where nobody said which signal stops it, dockerd takes every one for that.
  const any = !container.record.config.StopSignal;
  const stops = any || number === SIGKILL || number === stopSignal(container);
  if (stops) markStopped(context, container);
  const gone = container.wait("not-running");
  const goesOn = stops && container.status === "paused";
  if (isFrozenMachine(container) && !goesOn) {
    // It takes the signal when it goes on.
    shim.signal(number).catch((error: unknown) => {
      context.log.debug("a signal was lost", { container: container.id, error: String(error) });
    });
  } else {
    if (isFrozenMachine(container)) thaw(context, container);
    await shim.signal(number);
  }
  containerEvent(context, container, "kill", { signal: String(number) });
  if (goesOn) {
    if (container.status === "paused") thaw(context, container);
    containerEvent(context, container, "unpause");
  }
  if (stops && number !== SIGKILL && number !== stopSignal(container))
    forgiveSurvivor(context, container, shim);
  // As dockerd: whoever kills may remove the image or start again right after.
  if (number === SIGKILL) await within(gone, DEFAULT_TIMEOUT_S);
}

/** A container that goes on after a signal was not stopped by it: the next end is its own. */
function forgiveSurvivor(context: EngineContext, container: Container, shim: Shim): void {
  container.forgiving = setTimeout(() => {
    if (container.shim !== shim) return;
    container.record.state.stoppedByUser = false;
    recordFact(context, container);
  }, DEFAULT_TIMEOUT_S * 1000).unref();
}

/** For forced removal. */
export async function killAndWait(context: EngineContext, container: Container): Promise<void> {
  await terminate(context, container, { signal: "KILL", timeout: 0 });
}

async function terminate(context: EngineContext, container: Container, options: StopOptions): Promise<void> {
  const signal = options.signal ? signalNumber(options.signal) : stopSignal(container);
  const timeout = options.timeout ?? container.record.config.StopTimeout ?? DEFAULT_TIMEOUT_S;
  markStopped(context, container);
  if (container.status === "restarting") {
    await container.lock.run(() => endRestarting(context, container));
    if (!container.running) return;
  }
  const gone = container.wait("not-running");
  if (signal !== SIGKILL && container.control) await powerDown(context, container);
  else await send(context, container, signal);
  if (signal !== SIGKILL) {
    if (await within(gone, timeout)) return;
    await send(context, container, SIGKILL);
  }
  await gone;
}

async function send(context: EngineContext, container: Container, signal: number): Promise<void> {
  const { shim } = container;
  if (!shim) return;
  if (isFrozenMachine(container)) thaw(context, container);
  try {
    await shim.signal(signal);
  } catch (error) {
    // It has ended by itself, which is all that was wanted.
    if (error instanceof BerthError && error.code === "CONFLICT") return;
    throw error;
  }
  containerEvent(context, container, "kill", { signal: String(signal) });
  // A frozen process gets its signal when it is thawed.
  if (container.status === "paused") thaw(context, container);
}

/** A frozen process takes a signal and heeds it later; a virtual machine does not even answer. */
const isFrozenMachine = ({ status, record }: Container): boolean =>
  status === "paused" && isIsolated(record.hostConfig);

/** A machine's guest ends by itself when its power button is pressed, if it heeds that. */
async function powerDown(context: EngineContext, container: Container): Promise<void> {
  // Not every system heeds its power button.
  if (isMachine(container)) void shutDown(context, container);
  try {
    await container.control?.powerDown();
  } catch (error) {
    context.log.warn("a machine could not be asked to end", { machine: container.id, error: String(error) });
  }
}

/** Between two runs there is no process: the restart is called off. */
function endRestarting(context: EngineContext, container: Container): void {
  if (container.status !== "restarting") return;
  container.stopped();
  container.record.state.status = "exited";
  context.table.save(container);
  container.notifyExit();
}

function markStopped(context: EngineContext, container: Container): void {
  clearTimeout(container.forgiving);
  container.record.state.stoppedByUser = true;
  recordFact(context, container);
}

const stopSignal = (container: Container): number =>
  signalNumber(container.record.config.StopSignal || "TERM");

/** False when `seconds` passed first; a negative number waits for ever. */
async function within(promise: Promise<unknown>, seconds: number): Promise<boolean> {
  if (seconds < 0) {
    await promise;
    return true;
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), seconds * 1000);
  });
  const done = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return done;
}
