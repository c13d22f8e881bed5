import type { BuildMessage } from "../../lib/build-events.ts";
import { openContext } from "../building/context.ts";
import { registryConfig } from "../building/registries.ts";
import { readSecrets } from "../building/secrets.ts";
import { liveView, plainView } from "../building/view.ts";
import { fs, tty } from "../builtin.ts";
import { defineCommand, exactly } from "../command.ts";
import { toMap } from "../create/env.ts";
import { CliError } from "../errors.ts";
import { out } from "../io/output.ts";
import { jsonTexts, type ProgressMessage } from "../io/progress.ts";

/** Builds an image from a Dockerfile. */
export const command = defineCommand({
  usage: "[OPTIONS] PATH | -",
  summary: "Build an image from a Dockerfile",
  aliases: ["build", "image build"],
  flags: {
    "add-host": { type: "list", placeholder: "host:ip", help: "Add a line to the steps' /etc/hosts" },
    "build-arg": { type: "list", placeholder: "name[=value]", help: "Set an argument of the Dockerfile" },
    file: { type: "string", short: "f", completes: "file", help: "The Dockerfile; - for standard input" },
    iidfile: { type: "string", completes: "file", help: "File to write the image's id to" },
    label: { type: "list", placeholder: "key=value", help: "Set a label of the image" },
    memory: { type: "bytes", short: "m", help: "Memory limit of each step" },
    network: { type: "string", default: "default", help: "Network of the steps" },
    "no-cache": { type: "bool", help: "Do every step, whatever was built before" },
    platform: { type: "string", help: "Platform of base images (os[/arch[/variant]])" },
    progress: {
      type: "string",
      default: "auto",
      completes: ["auto", "plain", "tty"],
      help: "How steps are shown: auto, plain, tty",
    },
    pull: { type: "bool", help: "Look for newer base images" },
    quiet: { type: "bool", short: "q", help: "Show only the image's id" },
    secret: {
      type: "list",
      placeholder: "id=name[,src=file][,env=name]",
      help: "Show a secret to steps that mount it",
    },
    "shm-size": { type: "bytes", help: "Size of the steps' /dev/shm" },
    tag: { type: "list", short: "t", placeholder: "name[:tag]", help: "Name of the image; may be repeated" },
    target: { type: "string", help: "Stage to build" },
  },
  arity: exactly(1),
  completes: "file",
  async run(flags, { args: [path = ""], client }) {
    if (!["auto", "plain", "tty"].includes(flags.progress))
      throw new CliError(`invalid progress ${JSON.stringify(flags.progress)}: must be auto, plain or tty`);
    const { tar, dockerfileName, dockerfile } = await openContext(path, flags.file);
    const { body } = await client.request("POST", "/build", {
      query: {
        buildargs: JSON.stringify(buildArguments(flags["build-arg"])),
        dockerfile: dockerfileName,
        events: 1,
        extrahosts: flags["add-host"],
        labels: JSON.stringify(toMap(flags.label)),
        memory: flags.memory || undefined,
        networkmode: flags.network,
        nocache: flags["no-cache"] ? 1 : undefined,
        platform: flags.platform || undefined,
        pull: flags.pull ? 1 : undefined,
        shmsize: flags["shm-size"] || undefined,
        t: flags.tag,
        target: flags.target || undefined,
      },
      headers: { ...readSecrets(flags.secret), ...(await registryConfig(dockerfile ?? "")) },
      body: tar,
    });
    const live = flags.progress === "tty" || (flags.progress === "auto" && tty.isatty(2));
    const id = await follow(body, flags.quiet ? null : live ? liveView() : plainView());
    if (flags.iidfile) fs.writeFileSync(flags.iidfile, id);
    if (flags.quiet) out(`${id}\n`);
    return 0;
  },
});

/** Shows the answer to its end; resolves with the image's id. Throws `CliError` with a failed step's exit code. */
async function follow(
  body: AsyncIterable<Buffer>,
  view: ReturnType<typeof plainView> | null,
): Promise<string> {
  let id = "";
  let failed = true;
  try {
    for await (const text of jsonTexts(body)) {
      const { build, error, errorDetail } = JSON.parse(text) as ProgressMessage & { build?: BuildMessage };
      if (error !== undefined) {
        const code = errorDetail?.code ?? 1;
        throw new CliError(error, code > 0 && code < 256 ? code : 1);
      }
      if (build?.kind === "image") id = build.id;
      if (build) view?.show(build);
    }
    if (id === "") throw new CliError("the build ended without a result");
    failed = false;
    return id;
  } finally {
    view?.close(failed);
  }
}

/** A name without a value takes the one it has here, and none when it has none. */
function buildArguments(given: readonly string[]): Record<string, string | null> {
  const args: Record<string, string | null> = {};
  for (const text of given) {
    const equals = text.indexOf("=");
    if (equals < 0) args[text] = process.env[text] ?? null;
    else args[text.slice(0, equals)] = text.slice(equals + 1);
  }
  return args;
}
