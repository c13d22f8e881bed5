import { between, defineCommand } from "../command.ts";
import { checkReference, parseReference } from "../format/reference.ts";
import { out } from "../io/output.ts";

/** Makes an image of a container's filesystem. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  summary: "Make an image of what a container changed",
  aliases: ["container commit", "commit"],
  flags: {
    author: { type: "string", short: "a", help: "Author of the image" },
    change: { type: "list", short: "c", help: "Apply a Dockerfile instruction to the image" },
    message: { type: "string", short: "m", help: "Comment of the image" },
    pause: { type: "bool", short: "p", default: "true", help: "Pause the container meanwhile" },
  },
  arity: between(1, 2),
  completes: "container",
  async run(flags, { args: [container = "", reference = ""], client }) {
    if (reference !== "") checkReference(reference);
    const { name, tag } = parseReference(reference);
    const { Id } = await client.json<{ Id: string }>("POST", "/commit", {
      query: {
        container,
        repo: name || undefined,
        tag,
        comment: flags.message || undefined,
        author: flags.author || undefined,
        changes: flags.change.length > 0 ? flags.change : undefined,
        pause: flags.pause ? undefined : 0,
      },
      body: {},
    });
    out(`${Id}\n`);
    return 0;
  },
});
