import { atLeast, defineCommand } from "../command.ts";

/** Runs the daemon in the foreground; it parses its own flags. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Run the daemon",
  flags: {},
  arity: atLeast(0),
  async run(_values, { args }) {
    const { main } = await import("../../api/daemon.ts");
    return main(args);
  },
});
