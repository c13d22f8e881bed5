import { CliError } from "../errors.ts";

/** One of a process's streams as the API multiplexes them; `system` is an error of the daemon. */
export type StreamName = "stdin" | "stdout" | "stderr" | "system";

const streams: readonly StreamName[] = ["stdin", "stdout", "stderr", "system"];

/** Splits the API's multiplexed stream (an 8-byte header and its data, again and again) into its parts as they come. */
export async function demultiplex(
  body: AsyncIterable<Buffer>,
  write: (stream: StreamName, data: Buffer) => void,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let stream: StreamName = "stdout";
  let left = 0;
  let fault = "";
  for await (const chunk of body) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length > 0) {
      if (left === 0) {
        if (rest.length < 8) break;
        const name = streams[rest[0] ?? -1];
        if (name === undefined) throw new CliError(`Unrecognized input header: ${rest[0]}`);
        stream = name;
        left = rest.readUInt32BE(4);
        rest = rest.subarray(8);
        continue;
      }
      const data = rest.subarray(0, left);
      rest = rest.subarray(data.length);
      left -= data.length;
      if (stream === "system") fault += data.toString();
      else write(stream, data);
    }
  }
  if (fault) throw new CliError(`error from daemon in stream: ${fault}`);
}
