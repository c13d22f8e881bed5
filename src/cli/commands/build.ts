import type { BuildMessage, BuiltMessage } from "../../lib/build-events.ts";
import { openContext, type SentContext } from "../building/context.ts";
import { parseNamedContext } from "../building/named-contexts.ts";
import type { WantedOutput } from "../building/outputs.ts";
import { registryConfig } from "../building/registries.ts";
import { readSecrets } from "../building/secrets.ts";
import { stepFlags, stepQuery } from "../building/step-flags.ts";
import { type BuildView, chooseView, progressKinds } from "../building/view.ts";
import { fs } from "../builtin.ts";
import type { Client, Query } from "../client/client.ts";
import type { HttpResponse } from "../client/http.ts";
import { defineCommand, exactly } from "../command.ts";
import { toMap } from "../create/env.ts";
import { ApiError, CliError } from "../errors.ts";
import { err, out } from "../io/output.ts";
import { jsonTexts, type ProgressMessage } from "../io/progress.ts";

/** Builds an image from a Dockerfile. */
export const command = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  summary: "Build an image from a Dockerfile",
  aliases: ["build", "image build"],
  flags: {
    ...stepFlags,
    annotation: { type: "list", placeholder: "[TYPE:]key=value", help: "Set an annotation of the manifest" },
    attest: {
      type: "list",
      placeholder: "type=provenance[,mode=max]",
      help: "Have a statement go with the image",
    },
    "build-arg": { type: "list", placeholder: "name[=value]", help: "Set an argument of the Dockerfile" },
    "build-context": {
      type: "list",
      placeholder: "name=value",
      help: "A further context: a directory, docker-image://IMAGE or a git repository",
    },
    "cache-from": {
      type: "list",
      placeholder: "type=TYPE,…",
      help: "Take outcomes of steps from a registry or directory",
    },
    "cache-to": {
      type: "list",
      placeholder: "type=TYPE,…",
      help: "Give outcomes of steps: inline, local or registry",
    },
    check: { type: "bool", help: "Look for what is odd in the Dockerfile, without building" },
    compress: { type: "bool", hidden: true, help: "Contexts are sent as they are, if at all" },
    "disable-content-trust": { type: "bool", default: "true", hidden: true, help: "No names are signed" },
    "force-rm": { type: "bool", hidden: true, help: "Steps leave no containers anyway" },
    file: { type: "string", short: "f", completes: "file", help: "The Dockerfile; - for standard input" },
    iidfile: { type: "string", completes: "file", help: "File to write the image's id to" },
    label: { type: "list", placeholder: "key=value", help: "Set a label of the image" },
    "metadata-file": {
      type: "string",
      completes: "file",
      help: "File to write what came of the build to, as JSON",
    },
    "no-cache": { type: "bool", help: "Do every step, whatever was built before" },
    output: {
      type: "list",
      short: "o",
      placeholder: "type=TYPE,dest=PATH",
      help: "Where the result goes: docker, image, local, oci, registry, tar;\na directory, or - for an archive on stdout",
    },
    platform: { type: "string", help: "Platform of base images (os[/arch[/variant]])" },
    progress: {
      type: "string",
      default: "auto",
      completes: progressKinds,
      help: "How steps are shown: auto, plain, tty, rawjson, quiet",
    },
    provenance: {
      type: "string",
      placeholder: "true|false|mode=max",
      help: "Have what it was built from go with the image",
    },
    pull: { type: "bool", help: "Look for newer base images" },
    push: { type: "bool", help: "The same as --output=type=registry" },
    load: { type: "bool", help: "The same as --output=type=docker" },
    quiet: { type: "bool", short: "q", help: "Show only the image's id" },
    rm: { type: "bool", default: "true", hidden: true, help: "Steps leave no containers anyway" },
    secret: {
      type: "list",
      placeholder: "id=name[,src=file][,env=name]",
      help: "Show a secret to steps that mount it",
    },
    squash: { type: "bool", help: "Make one layer of all that the build adds" },
    ssh: {
      type: "list",
      placeholder: "default|id[=socket|key[,key]]",
      help: "Offer an ssh agent to steps that mount it",
    },
    tag: { type: "list", short: "t", placeholder: "name[:tag]", help: "Name of the image; may be repeated" },
    target: { type: "string", help: "Stage to build" },
  },
  arity: exactly(1),
  completes: "file",
  async run(flags, { args: [path = ""], client }) {
    const view = chooseView(flags.progress, flags.quiet);
    const named = flags["build-context"].map(parseNamedContext);
    const context = await openContext(path, flags.file, named);
    const given = [
      ...flags.output,
      ...(flags.push ? ["type=registry"] : []),
      ...(flags.load ? ["type=docker"] : []),
    ];
    const caches =
      flags["cache-to"].length + flags["cache-from"].length === 0
        ? null
        : await (await import("../building/cache.ts")).openCaches(
            client,
            flags["cache-to"],
            flags["cache-from"],
          );
    const outputs = [...(given.length === 0 ? [] : await readOutputs(given)), ...(caches?.outputs ?? [])];
    const query = {
      ...context.query,
      ...stepQuery(flags),
      annotation: [...flags.annotation, ...outputs.flatMap(({ annotations }) => annotations)],
      buildargs: JSON.stringify(buildArguments(flags["build-arg"])),
      cachefrom: caches ? JSON.stringify(caches.from) : undefined,
      check: flags.check ? 1 : undefined,
      events: 1,
      inlinecache: caches?.inline ? 1 : undefined,
      labels: JSON.stringify(toMap(flags.label)),
      nocache: flags["no-cache"] ? 1 : undefined,
      squash: flags.squash ? 1 : undefined,
      outputs:
        outputs.length === 0
          ? undefined
          : JSON.stringify(outputs.map(({ type, attributes }) => ({ Type: type, Attrs: attributes }))),
      platform: flags.platform || undefined,
      provenance: await wantedProvenance(flags.provenance, flags.attest),
      pull: flags.pull ? 1 : undefined,
      t: flags.tag,
      target: flags.target || undefined,
    };
    const far = outputs.flatMap(({ attributes }) =>
      attributes.ref ? [attributes.ref] : attributes.push ? (attributes.name?.split(",") ?? flags.tag) : [],
    );
    const headers = {
      ...readSecrets(flags.secret),
      ...(await registryConfig(context.dockerfile ?? "", [...far, ...(caches?.from ?? [])])),
    };
    const ssh =
      flags.ssh.length === 0
        ? null
        : await (await import("../building/ssh.ts")).offerAgents(client, flags.ssh);
    try {
      const build = async (way: SentContext, shown: BuildView | null): Promise<Followed> => {
        const { body } = await send(client, way, { ...query, agents: ssh?.session }, headers);
        const lines = outputs.some(({ destination }) => destination !== null)
          ? (await import("../building/receive.ts")).receiveOutputs(body, outputs)
          : body;
        return follow(lines, shown);
      };
      let followed = await build(context, view);
      if (followed.isChanged) {
        err(`${path} was changed while it was built from: it is sent instead\n`);
        followed = await build({ ...context, local: null }, chooseView(flags.progress, flags.quiet));
      }
      const { image, warnings } = followed;
      if (flags.check) return showChecks(warnings);
      if (!image) throw new CliError("the build ended without a result");
      if (flags.iidfile) fs.writeFileSync(flags.iidfile, image.id);
      if (flags["metadata-file"])
        (await import("../building/metadata.ts")).writeMetadata(flags["metadata-file"], image);
      const isTaken = outputs.some(
        ({ destination }) => destination?.kind === "file" && destination.path === "",
      );
      if (view === null && !isTaken) out(`${image.id}\n`);
      return 0;
    } finally {
      ssh?.close();
      await caches?.close();
    }
  },
});

/** The directory itself where the daemon sees the same one, else all of it as an archive. */
async function send(
  client: Client,
  { local, tar }: SentContext,
  query: Query,
  headers: Record<string, string>,
): Promise<HttpResponse> {
  if (local && client.host.startsWith("unix://")) {
    try {
      return await client.request("POST", "/build", { query: { ...query, local: 1 }, headers, body: local });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    }
  }
  return client.request("POST", "/build", { query, headers, body: tar });
}

async function readOutputs(given: readonly string[]): Promise<WantedOutput[]> {
  const { parseOutput } = await import("../building/outputs.ts");
  const outputs = given.map(parseOutput);
  if (outputs.filter(({ destination }) => destination?.path === "").length > 1)
    throw new CliError("only one output can go to standard output");
  return outputs;
}

async function wantedProvenance(text: string, attest: readonly string[]): Promise<string | undefined> {
  if (text === "" && attest.length === 0) return undefined;
  return (await import("../building/metadata.ts")).provenanceMode(text, attest);
}

/** Shows what was found; the exit status tells whether it was anything. */
function showChecks(warnings: number | undefined): number {
  if (warnings === undefined) throw new CliError("the check ended without a result");
  out(
    warnings === 0
      ? "Check complete, no warnings found.\n"
      : `Check complete, ${warnings} warning${warnings === 1 ? " has" : "s have"} been found!\n`,
  );
  return warnings === 0 ? 0 : 1;
}

/** What came of a build. */
interface Followed {
  image?: BuiltMessage;
  /** Where only that was asked for. */
  warnings?: number;
  /** Whether it failed because its directory changed meanwhile. */
  isChanged?: boolean;
}

/** Shows the answer to its end. Throws `CliError` with a failed step's exit code. */
async function follow(body: AsyncIterable<Buffer>, view: BuildView | null): Promise<Followed> {
  const result: Followed = {};
  let failed = true;
  try {
    for await (const text of jsonTexts(body)) {
      const { build, check, error, errorDetail } = JSON.parse(text) as ProgressMessage & {
        build?: BuildMessage;
        check?: { warnings: number };
      };
      if (error !== undefined && result.isChanged) return result;
      if (error !== undefined) {
        const code = errorDetail?.code ?? 1;
        throw new CliError(error, code > 0 && code < 256 ? code : 1);
      }
      if (check) result.warnings = check.warnings;
      if (build?.kind === "changed") result.isChanged = true;
      if (build?.kind === "image") result.image = build;
      if (build) view?.show(build);
    }
    failed = false;
    return result;
  } finally {
    view?.close(failed);
  }
}

/** A name without a value takes the one it has here, and none when it has none. */
function buildArguments(given: readonly string[]): Record<string, string | null> {
  const args: Record<string, string | null> = {};
  const { SOURCE_DATE_EPOCH } = process.env;
  if (SOURCE_DATE_EPOCH) args.SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH;
  for (const text of given) {
    const equals = text.indexOf("=");
    if (equals < 0) args[text] = process.env[text] ?? null;
    else args[text.slice(0, equals)] = text.slice(equals + 1);
  }
  return args;
}
