import type { SystemInfo } from "@docker/node-sdk";
import { newestApi } from "../../lib/api-version.ts";
import { berthVersion } from "../../lib/version.ts";
import { text } from "../client/client.ts";
import { defineCommand, noArgs } from "../command.ts";
import { CliError } from "../errors.ts";
import { showServerInfo } from "../format/info.ts";
import { parseJson } from "../format/json.ts";
import { printObject } from "../format/object.ts";
import { inspectFormatFlag } from "../inspect.ts";
import { err, out } from "../io/output.ts";

/** Shows the state of the engine. */
export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Show the state of the engine",
  aliases: ["system info", "info"],
  flags: { format: inspectFormatFlag },
  arity: noArgs,
  async run(flags, { client }) {
    let info: SystemInfo | undefined;
    let failure: CliError | undefined;
    try {
      const { body } = await client.request("GET", "/info");
      info = parseJson(await text(body)) as SystemInfo;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      failure = error;
    }
    if (flags.format !== "") {
      if (failure) err(`${failure.message}\n`);
      const ClientInfo = {
        Debug: false,
        Version: berthVersion,
        ApiVersion: client.version,
        DefaultAPIVersion: newestApi,
        NodeVersion: process.versions.node,
        Os: process.platform,
        Arch: process.arch === "x64" ? "amd64" : process.arch,
        Context: "default",
        Plugins: [],
        Warnings: null,
      };
      const ServerErrors = failure ? [failure.message] : undefined;
      printObject(flags.format, { ...info, ServerErrors, ClientInfo }, "system.dockerInfo");
      return failure ? 1 : 0;
    }
    out(`Client:\n Version:    ${berthVersion}\n Context:    default\n Debug Mode: false\n\nServer:\n`);
    if (info) {
      out(showServerInfo(info));
      for (const warning of info.Warnings ?? []) err(`${warning}\n`);
    }
    if (failure) throw new CliError(`${failure.message}\nerrors pretty printing info`);
    return 0;
  },
});
