import { text } from "../client/client.ts";
import { atLeast, type Context, defineCommand } from "../command.ts";
import { type ContainerValues, createRequest } from "../create/request.ts";
import { CliError } from "../errors.ts";
import { renderContainer } from "../explain/container.ts";
import { renderLaunch } from "../explain/launch.ts";
import type { ContainerExplanation, LaunchExplanation } from "../explain/types.ts";
import { usageMessage } from "../flags/help.ts";
import { parseFlags } from "../flags/parse.ts";
import { indentJson } from "../format/json.ts";
import { out } from "../io/output.ts";
import { command as run } from "./run.ts";

/** Shows how a container is isolated, before it runs or while it does; changes nothing. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER | run [RUN OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Explain how a container is isolated: a running one, or the launch of one that `run` would make",
  flags: {
    format: { type: "string", default: "", help: "json for everything as JSON", completes: ["json"] },
  },
  arity: atLeast(1),
  flagsFirst: true,
  completes: "container",
  async run(flags, context) {
    const [first = "", ...rest] = context.args;
    const json = flags.format === "json";
    if (flags.format !== "" && !json)
      throw new CliError(`unknown format ${JSON.stringify(flags.format)}: only json`);
    if (first === "run") return await explainRun(rest, json, context);
    if (rest.length > 0) throw new CliError("berth explain takes one container, or run and its arguments");
    const path = `/berth/containers/${encodeURIComponent(first)}/explain`;
    const { body } = await context.client.request("GET", path);
    const answer = await text(body);
    out(json ? `${indentJson(answer)}\n` : renderContainer(JSON.parse(answer) as ContainerExplanation));
    return 0;
  },
});

async function explainRun(argv: string[], json: boolean, { client }: Context): Promise<number> {
  const { values, args, changed } = parseRun(argv);
  const [image, ...words] = args;
  if (image === undefined)
    throw new CliError(
      usageMessage("explain run", run, "berth: 'berth explain run' requires at least 1 argument"),
      1,
    );
  const request = createRequest(values as ContainerValues, changed, image, words);
  const { body } = await client.request("POST", "/berth/explain", { body: request });
  const answer = await text(body);
  out(json ? `${indentJson(answer)}\n` : renderLaunch(JSON.parse(answer) as LaunchExplanation));
  return 0;
}

function parseRun(argv: string[]): ReturnType<typeof parseFlags> {
  try {
    return parseFlags(run.flags, argv, true);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(usageMessage("explain run", run, reason), 125);
  }
}
