import { defineCommand, exactly } from "../command.ts";
import { CliError } from "../errors.ts";
import { canonicalReference, checkReference, parseReference } from "../format/reference.ts";
import { out } from "../io/output.ts";
import { checkPlatform } from "../platform.ts";
import { pullImage } from "../pull.ts";

/** Fetches an image from a registry. */
export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  summary: "Fetch an image from a registry",
  aliases: ["image pull", "pull"],
  flags: {
    "all-tags": { type: "bool", short: "a", help: "Fetch every tag of the repository" },
    "disable-content-trust": {
      type: "bool",
      default: "true",
      hidden: true,
      help: "Accepted for compatibility",
    },
    platform: { type: "string", help: "Platform of an image that has several (os[/arch[/variant]])" },
    quiet: { type: "bool", short: "q", help: "Show only the image's name" },
  },
  arity: exactly(1),
  completes: "image",
  async run(flags, { args: [image = ""], client }) {
    checkReference(image);
    const { tag, digest } = parseReference(image);
    const all = flags["all-tags"];
    if (all && (tag || digest)) throw new CliError("tag can't be used with --all-tags/-a");
    if (!all && !tag && !digest && !flags.quiet) out("Using default tag: latest\n");
    if (flags.platform) checkPlatform(flags.platform);
    await pullImage(client, image, { platform: flags.platform, fd: flags.quiet ? 0 : 1, all });
    out(`${all ? canonicalReference(image).replace(/:[^/:]+$/, "") : canonicalReference(image)}\n`);
    return 0;
  },
});
