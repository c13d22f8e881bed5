import { Client } from "./client/client.ts";
import { chooseHost, defaultHost, parseHost } from "./client/endpoint.ts";
import type { Command } from "./command.ts";
import { commands, type Entry } from "./commands.ts";
import { CliError, errorMessage } from "./errors.ts";
import { type Parsed, parseFlags } from "./flags/parse.ts";
import { globalFlags } from "./global-flags.ts";
import { err, out } from "./io/output.ts";

/** Whether to show where a failure comes from. */
let debug = false;

/** Runs one command line (without the program's name) and resolves to the exit status. */
async function main(argv: string[]): Promise<number> {
  const globals = await parseOrExplain("", programUsage, argv);
  const { host: hosts, version } = globals.values;
  if (version) {
    const { showVersion } = await import("./commands/version.ts");
    out(showVersion());
    return 0;
  }
  debug = globals.values.debug === true;
  if (globals.values.config) process.env.DOCKER_CONFIG = String(globals.values.config);
  if (globals.values.context && globals.values.context !== "default")
    throw new CliError(`context ${JSON.stringify(globals.values.context)} does not exist: use -H`);
  const [first, ...others] = globals.args;
  const { path, entry, rest } = first === "help" ? find(others) : find(globals.args);
  const help = globals.help || first === "help";
  if (entry.children) return await showGroup(path, entry, rest, help);

  const command = (await entry.load?.())?.command;
  if (command === undefined) throw new CliError(`berth: '${path}' has no command`);
  // The daemon reads its own flags, and completion those of a line that is not finished.
  if (path === "daemon" || path === "__complete") {
    const values = path === "__complete" ? hostOf(rest) : globals.values;
    const client = makeClient(hostList(values.host), values);
    return (await command.run({}, { args: rest, changed: new Set(), path, client })) ?? 0;
  }
  const parsed = await parseOrExplain(path, command, help ? ["--help"] : rest);
  if (parsed.help) {
    const { commandHelp } = await import("./flags/help.ts");
    out(commandHelp(path, command));
    return 0;
  }
  const { min, max } = command.arity;
  if (parsed.args.length < min || parsed.args.length > max) {
    const { arityMessage } = await import("./flags/help.ts");
    throw new CliError(arityMessage(path, command, parsed.args.length));
  }
  const context = {
    args: parsed.args,
    changed: parsed.changed,
    path,
    client: makeClient(hostList(hosts), globals.values),
  };
  return (await command.run(parsed.values, context)) ?? 0;
}

function find(args: readonly string[]): { path: string; entry: Entry; rest: string[] } {
  let entry: Entry = { summary: "", children: commands };
  let at = 0;
  for (; entry.children; at++) {
    const child = Object.hasOwn(entry.children, args[at] ?? "") ? entry.children[args[at] ?? ""] : undefined;
    if (child === undefined) break;
    entry = child;
  }
  return { path: args.slice(0, at).join(" "), entry, rest: args.slice(at) };
}

/** What parsing the flags before the command needs of a command. */
const programUsage: Pick<Command, "flags" | "usage" | "flagsFirst"> = {
  flags: globalFlags,
  usage: "[OPTIONS] COMMAND [ARG...]",
  flagsFirst: true,
};

async function showGroup(path: string, entry: Entry, rest: string[], help: boolean): Promise<number> {
  const { groupHelp, unknownCommand } = await import("./flags/help.ts");
  // A group's own usage line is as bare as docker's; its help has the whole one.
  const usage = { flags: {}, usage: path === "" ? programUsage.usage : "" };
  const parsed = await parseOrExplain(path, usage, rest);
  const [first] = parsed.args;
  if (help || parsed.help || first === undefined) {
    out(groupHelp(path, entry, globalFlags));
    return 0;
  }
  throw new CliError(unknownCommand(path, first));
}

async function parseOrExplain(
  path: string,
  command: Pick<Command, "flags" | "usage" | "flagsFirst">,
  rest: readonly string[],
): Promise<Parsed> {
  try {
    return parseFlags(command.flags, rest, command.flagsFirst);
  } catch (error) {
    const { usageMessage } = await import("./flags/help.ts");
    throw new CliError(usageMessage(path, command, errorMessage(error)), 125);
  }
}

function makeClient(hosts: string[], values: Record<string, unknown>): Client {
  if (hosts.length > 1) throw new CliError("Specify only one -H");
  const { env } = process;
  const host = chooseHost(hosts[0], env);
  const folder = env.DOCKER_CERT_PATH || `${env.HOME ?? ""}/.docker`;
  const verify = values.tlsverify === true || Boolean(env.DOCKER_TLS_VERIFY);
  const tls =
    verify || values.tls === true
      ? {
          ca: String(values.tlscacert || `${folder}/ca.pem`),
          cert: String(values.tlscert || `${folder}/cert.pem`),
          key: String(values.tlskey || `${folder}/key.pem`),
          verify,
        }
      : null;
  const startDaemon =
    host === defaultHost
      ? async () => (await import("./client/start-daemon.ts")).startDaemon(defaultHost)
      : undefined;
  return new Client({
    host,
    endpoint: parseHost(host, tls),
    fixedVersion: env.DOCKER_API_VERSION || undefined,
    startDaemon,
  });
}

/** The flags before the command of a line that is being completed. */
function hostOf(words: readonly string[]): Record<string, unknown> {
  try {
    return parseFlags(globalFlags, words, true).values;
  } catch {
    // What is typed so far is no whole line.
    return {};
  }
}

function hostList(hosts: unknown): string[] {
  return Array.isArray(hosts) ? hosts.map(String) : [];
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof CliError) {
    if (error.message) err(`${error.message}\n`);
    process.exitCode = error.exitCode;
  } else {
    err(`berth: ${debug && error instanceof Error ? error.stack : errorMessage(error)}\n`);
    process.exitCode = 1;
  }
}
// Open handles (a terminal being read, an idle connection) must not delay the end.
process.exit();
