import assert from "node:assert/strict";
import type { Result, TestDaemon } from "../support/daemon.ts";

/** `berth vm` against the daemon of a test. */
export interface Machines {
  vm(...args: string[]): Promise<Result>;
  /** For what must succeed: answers what was printed, trimmed. */
  ok(...args: string[]): Promise<string>;
  /** A field of a machine, by a template. */
  field(name: string, template: string): Promise<string>;
  /** Removes all machines, ends the daemon and looks for what it left. */
  end(): Promise<void>;
}

/** `daemon` is asked for when it is needed: it starts before the first test, after this was called. */
export function machinesOf(daemon: () => TestDaemon): Machines {
  const vm = (...args: string[]): Promise<Result> => daemon().berth(["vm", ...args]);
  async function ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await vm(...args);
    assert.equal(code, 0, `vm ${args.join(" ")}: ${stderr}\n${daemon().log}`);
    return stdout.trim();
  }
  return {
    vm,
    ok,
    field: (name, template) => ok("inspect", name, "--format", template),
    async end() {
      const names = (await ok("ls", "-q")).split("\n").filter(Boolean);
      if (names.length > 0) await ok("rm", "-f", ...names);
      await daemon().end();
      assert.deepEqual(daemon().leftovers(), []);
    },
  };
}
