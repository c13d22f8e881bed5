import { atLeast, defineCommand } from "../command.ts";
import { complete } from "../complete.ts";
import { out } from "../io/output.ts";

/** What completion scripts call: prints what may stand in place of the last argument, a line each. */
export const command = defineCommand({
  usage: "[WORD...]",
  summary: "Answer a shell's completion script",
  flags: {},
  arity: atLeast(0),
  async run(_flags, { args, client }) {
    const found = await complete(args, client.withoutStarting());
    out(found.map((candidate) => `${candidate}\n`).join(""));
    return 0;
  },
});
