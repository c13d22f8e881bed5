import { defineCommand, exactly } from "../command.ts";
import { ApiError, CliError } from "../errors.ts";

/** Gives a container another name. */
export const command = defineCommand({
  usage: "CONTAINER NEW_NAME",
  summary: "Rename a container",
  aliases: ["container rename", "rename"],
  flags: {},
  arity: exactly(2),
  completes: "container",
  async run(_flags, { args, client }) {
    const [name = "", target = ""] = args.map((arg) => arg.trim());
    if (name === "" || target === "") throw new CliError("Error: Neither old nor new names may be empty");
    try {
      await client.call("POST", `/containers/${encodeURIComponent(name)}/rename`, {
        query: { name: target },
      });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      throw new CliError(`${error.message}\nError: failed to rename container named ${name}`);
    }
    return 0;
  },
});
