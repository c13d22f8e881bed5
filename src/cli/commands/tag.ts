import { defineCommand, exactly } from "../command.ts";
import { CliError, errorMessage } from "../errors.ts";
import { checkReference, parseReference } from "../format/reference.ts";

/** Gives an image another name. */
export const command = defineCommand({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  summary: "Give an image another name",
  aliases: ["image tag", "tag"],
  flags: {},
  arity: exactly(2),
  completes: "image",
  async run(_flags, { args: [source = "", target = ""], client }) {
    try {
      checkReference(target);
    } catch (error) {
      throw new CliError(
        `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${errorMessage(error)}`,
      );
    }
    const { name, tag, digest } = parseReference(target);
    if (digest) throw new CliError("refusing to create a tag with a digest reference");
    await client.call("POST", `/images/${encodeURIComponent(source)}/tag`, {
      query: { repo: name, tag: tag ?? "latest" },
    });
    return 0;
  },
});
