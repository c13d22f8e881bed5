import { atLeast, defineCommand } from "../command.ts";
import { checkPull, createContainer } from "../create/create.ts";
import { attempt } from "../create/failure.ts";
import { containerFlags } from "../create/flags.ts";
import { createRequest } from "../create/request.ts";
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
    const request = attempt(path, () => {
      checkPull(flags.pull);
      return createRequest(flags, changed, image, cmd);
    });
    out(`${await createContainer(client, flags, request)}\n`);
    return 0;
  },
});
