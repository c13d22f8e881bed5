import { atLeast, defineCommand } from "../command.ts";
import { checkPull, createContainer } from "../create/create.ts";
import { startFailure } from "../create/failure.ts";
import { containerFlags } from "../create/flags.ts";
import { createRequest } from "../create/request.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";

/** Makes a container without starting it. */
export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Make a container without starting it",
  aliases: ["container create", "create"],
  flags: containerFlags,
  arity: atLeast(1),
  flagsFirst: true,
  completes: "image",
  async run(flags, { args: [image = "", ...cmd], changed, client, path }) {
    try {
      checkPull(flags.pull);
      const request = createRequest(flags, changed, image, cmd);
      out(`${await createContainer(client, flags, request)}\n`);
    } catch (error) {
      if (error instanceof CliError && error.name === "CliError") throw startFailure(path, error);
      throw error;
    }
    return 0;
  },
});
