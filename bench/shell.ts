import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";

/**
 * A shell in a mount namespace of its own that runs one command after the other, so that neither a change of
 * the mounts nor the cost of Node's spawn comes into what is measured.
 */
export class PrivateShell {
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  constructor(first: string) {
    const child = spawn("unshare", ["--mount", "sh"], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout });
    child.stdin.write(`${first}\n`);
  }

  /** Runs one command line to its end; rejects when it fails. */
  async run(command: string): Promise<void> {
    const answer = new Promise<string>((resolve) => this.#lines.once("line", resolve));
    this.#child.stdin?.write(`${command} >/dev/null </dev/null; echo $?\n`);
    const status = await answer;
    if (status !== "0") throw new Error(`${command}: exit code ${status}`);
  }

  close(): void {
    this.#child.stdin?.end();
  }
}
