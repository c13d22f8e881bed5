import type { SystemVersion } from "@docker/node-sdk";
import { newestApi } from "../../lib/api-version.ts";
import { berthVersion } from "../../lib/version.ts";
import { defineCommand, noArgs } from "../command.ts";
import { CliError } from "../errors.ts";
import { err, out } from "../io/output.ts";

/** The line of `berth --version`. */
export function showVersion(): string {
  return `Berth version ${berthVersion}\n`;
}

/** Shows the versions of client and server. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show the versions of client and server",
  flags: {
    format: {
      type: "string",
      short: "f",
      help: "How to show it:\n'json':     one JSON object\n'TEMPLATE': a Go template",
    },
  },
  arity: noArgs,
  async run(flags, { client }) {
    let server: SystemVersion | undefined;
    let failure: unknown;
    try {
      server = await client.withoutStarting().json<SystemVersion>("GET", "/version");
    } catch (error) {
      failure = error;
    }
    const own = {
      Version: berthVersion,
      ApiVersion: client.version,
      DefaultAPIVersion: newestApi,
      NodeVersion: process.versions.node,
      Os: process.platform,
      Arch: process.arch === "x64" ? "amd64" : process.arch,
      Context: "default",
    };
    if (flags.format !== "") {
      const { printObject } = await import("../format/object.ts");
      printObject(flags.format, { Client: own, Server: server ?? null }, "*types.Version");
    } else out(showClient(own) + (server ? showServer(server) : ""));
    if (failure === undefined) return 0;
    if (!(failure instanceof CliError)) throw failure;
    err(`${failure.message}\n`);
    return 1;
  },
});

const line = (indent: number, name: string, value: string): string =>
  `${" ".repeat(indent)}${`${name}:`.padEnd(20 - indent - 1)}${value}\n`;

function showClient(own: Record<string, string>): string {
  const api =
    own.ApiVersion === own.DefaultAPIVersion
      ? (own.ApiVersion ?? "")
      : `${own.ApiVersion} (downgraded from ${own.DefaultAPIVersion})`;
  return `Client:\n${[
    line(1, "Version", own.Version ?? ""),
    line(1, "API version", api),
    line(1, "Node version", own.NodeVersion ?? ""),
    line(1, "OS/Arch", `${own.Os}/${own.Arch}`),
    line(1, "Context", own.Context ?? ""),
  ].join("")}`;
}

function showServer(server: SystemVersion): string {
  let result = `\nServer:${server.Platform?.Name ? ` ${server.Platform.Name}` : ""}\n`;
  for (const { Name, Version, Details = {} } of server.Components ?? []) {
    const details: Record<string, string> = { ...Details };
    result += ` ${Name}:\n${line(2, "Version", Version ?? "")}`;
    if (details.ApiVersion) {
      const minimum = details.MinAPIVersion ? ` (minimum version ${details.MinAPIVersion})` : "";
      result += line(2, "API version", details.ApiVersion + minimum);
    }
    if (details.GoVersion) result += line(2, "Go version", details.GoVersion);
    if (details.NodeVersion) result += line(2, "Node version", details.NodeVersion);
    if ("GitCommit" in details)
      result += line(2, Name === "Engine" ? "Git commit" : "GitCommit", details.GitCommit ?? "");
    if (details.BuildTime) result += line(2, "Built", buildTime(details.BuildTime));
    if (details.Os) result += line(2, "OS/Arch", `${details.Os}/${details.Arch}`);
    if (Name === "Engine") result += line(2, "Experimental", details.Experimental ?? "false");
  }
  return result;
}

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `Fri May 30 12:07:14 2025`, the form of ctime(3). */
function buildTime(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const day = String(date.getUTCDate()).padStart(2);
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${day} ${time} ${date.getUTCFullYear()}`;
}
