import { between, defineCommand } from "../command.ts";
import { checkReference, parseReference } from "../format/reference.ts";
import { openInput } from "../io/files.ts";
import { showProgress } from "../io/progress.ts";

/** Makes an image of a filesystem in an archive. */
export const command = defineCommand({
  usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  summary: "Make an image of a filesystem in a tar archive",
  aliases: ["image import", "import"],
  flags: {
    change: { type: "list", short: "c", help: "Apply a Dockerfile instruction to the image" },
    message: { type: "string", short: "m", help: "Comment of the image" },
    platform: { type: "string", help: "Platform of the image" },
  },
  arity: between(1, 2),
  completes: "file",
  async run(flags, { args: [source = "", reference = ""], client }) {
    if (reference !== "") checkReference(reference);
    const remote = /^https?:\/\//.test(source);
    const body = remote ? undefined : await openInput(source);
    const { name, tag } = reference === "" ? { name: "", tag: undefined } : parseReference(reference);
    const response = await client.request("POST", "/images/create", {
      query: {
        fromSrc: remote ? source : "-",
        repo: name || undefined,
        tag,
        message: flags.message || undefined,
        changes: flags.change.length > 0 ? flags.change : undefined,
        platform: flags.platform || undefined,
      },
      body,
    });
    await showProgress(response.body);
    return 0;
  },
});
