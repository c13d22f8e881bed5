import type { Client } from "../client/client.ts";
import { err } from "./output.ts";

const forwarded: NodeJS.Signals[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGTERM",
  "SIGCONT",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGIO",
  "SIGPWR",
  "SIGSYS",
];

/**
 * Sends the signals that this process gets to a container, until the returned function is called. The
 * third that asks for an end is this process's own.
 */
export function forwardSignals(client: Client, id: string): () => void {
  let ends = 0;
  const forward = (signal: NodeJS.Signals) => {
    // A process that does not care for them must not hold its user's terminal.
    if ((signal === "SIGINT" || signal === "SIGTERM") && ++ends === 3) {
      err("got 3 SIGTERM/SIGINTs, forcefully exiting\n");
      process.exit(1);
    }
    client
      .call("POST", `/containers/${id}/kill`, { query: { signal: signal.slice(3) } })
      // The container may just have ended; its status is reported anyway.
      .catch(() => undefined);
  };
  for (const signal of forwarded) process.on(signal, forward);
  return () => {
    for (const signal of forwarded) process.off(signal, forward);
  };
}
