import { atLeast, defineCommand } from "../command.ts";
import { forEachArgument } from "../each.ts";

/** Removes machines that containers go on from. */
export const command = defineCommand({
  usage: "TEMPLATE [TEMPLATE...]",
  summary: "Remove templates; containers that started from them run on",
  aliases: ["vm template rm", "vm template remove"],
  flags: {},
  arity: atLeast(1),
  run: (_, { args, client }) =>
    forEachArgument(args, async (name) => {
      await client.call("DELETE", `/berth/machine-templates/${encodeURIComponent(name)}`);
    }),
});
