import { tty } from "../builtin.ts";
import type { Client } from "../client/client.ts";

/** Rows and columns of the terminal on stdout; undefined when it is none. */
export function terminalSize(): { h: number; w: number } | undefined {
  if (!tty.isatty(1)) return undefined;
  const [w = 0, h = 0] = new tty.WriteStream(1).getWindowSize();
  return { h, w };
}

/**
 * Tells the daemon the size of this terminal, now and whenever it changes. `path` is that of the
 * container or exec. The first attempts may come before the process is there, so they are repeated.
 */
export async function followTerminalSize(client: Client, path: string): Promise<void> {
  const resize = async (): Promise<void> => {
    const size = terminalSize();
    if (size && (size.h > 0 || size.w > 0)) await client.call("POST", `${path}/resize`, { query: size });
  };
  process.on("SIGWINCH", () => {
    // A process that ended meanwhile has no terminal to resize.
    resize().catch(() => undefined);
  });
  for (let attempt = 0; ; attempt++) {
    try {
      await resize();
      return;
    } catch (error) {
      if (attempt === 9) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10 * (attempt + 1)));
    }
  }
}
