import type { ContainerInspectResponse } from "@docker/node-sdk";
import { defineCommand, exactly } from "../command.ts";
import { toTimestamp } from "../flags/timestamp.ts";
import { demultiplex } from "../io/demultiplex.ts";
import { err, out } from "../io/output.ts";

/** Shows what a container has written. */
export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Show what a container has written",
  aliases: ["container logs", "logs"],
  flags: {
    details: { type: "bool", help: "Show the attributes that the log driver adds" },
    follow: { type: "bool", short: "f", help: "Go on as more is written" },
    since: { type: "string", help: 'Only from this time on ("2013-01-02T13:23:37Z", or "42m" ago)' },
    tail: { type: "string", short: "n", default: "all", help: "Only the last N lines" },
    timestamps: { type: "bool", short: "t", help: "Show the time of each line" },
    until: { type: "string", help: 'Only before this time ("2013-01-02T13:23:37Z", or "42m" ago)' },
  },
  arity: exactly(1),
  completes: "container",
  async run(flags, { args: [name = ""], client }) {
    const path = `/containers/${encodeURIComponent(name)}`;
    const { Id, Config } = await client.json<ContainerInspectResponse>("GET", `${path}/json`);
    const { body } = await client.request("GET", `/containers/${Id}/logs`, {
      query: {
        stdout: 1,
        stderr: 1,
        since: flags.since ? toTimestamp(flags.since, 'invalid value for "since": ') : undefined,
        until: flags.until ? toTimestamp(flags.until, 'invalid value for "until": ') : undefined,
        timestamps: flags.timestamps ? 1 : undefined,
        details: flags.details ? 1 : undefined,
        follow: flags.follow ? 1 : undefined,
        tail: flags.tail,
      },
    });
    if (Config?.Tty) for await (const data of body) out(data);
    else await demultiplex(body, (stream, data) => (stream === "stderr" ? err(data) : out(data)));
    return 0;
  },
});
