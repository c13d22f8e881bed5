import { defineCommand, exactly } from "../command.ts";
import { authHeader } from "../credentials.ts";
import { CliError } from "../errors.ts";
import { canonicalReference, checkReference, parseReference } from "../format/reference.ts";
import { out } from "../io/output.ts";
import { showProgress } from "../io/progress.ts";
import { platformJson } from "../platform.ts";

/** Sends an image to a registry. */
export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG]",
  summary: "Send an image to a registry",
  aliases: ["image push", "push"],
  flags: {
    "all-tags": { type: "bool", short: "a", help: "Send every tag of the repository" },
    "disable-content-trust": {
      type: "bool",
      default: "true",
      hidden: true,
      help: "Accepted for compatibility",
    },
    platform: { type: "string", help: "Send only this platform of the image (os[/arch[/variant]])" },
    quiet: { type: "bool", short: "q", help: "Show only the image's name" },
  },
  arity: exactly(1),
  completes: "image",
  async run(flags, { args: [image = ""], client }) {
    checkReference(image);
    const { name, tag, digest } = parseReference(image);
    if (digest) throw new CliError("cannot push a digest reference");
    const all = flags["all-tags"];
    if (all && tag) throw new CliError("tag can't be used with --all-tags/-a");
    if (!all && !tag && !flags.quiet) out("Using default tag: latest\n");
    const path = `/images/${name.split("/").map(encodeURIComponent).join("/")}/push`;
    const response = await client.request("POST", path, {
      query: {
        tag: all ? undefined : (tag ?? "latest"),
        platform: flags.platform ? platformJson(flags.platform) : undefined,
      },
      // The API wants the header even when there is nothing to say.
      headers: { "X-Registry-Auth": "e30", ...(await authHeader(image)) },
    });
    await showProgress(response.body, { fd: flags.quiet ? 0 : 1 });
    if (flags.quiet) out(`${canonicalReference(image)}\n`);
    return 0;
  },
});
