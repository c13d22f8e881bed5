import type { Client } from "../client/client.ts";

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

/** Sends the signals that this process gets to a container, until the returned function is called. */
export function forwardSignals(client: Client, id: string): () => void {
  const forward = (signal: NodeJS.Signals) => {
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
