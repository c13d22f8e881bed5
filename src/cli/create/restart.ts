import type { RestartPolicy } from "@docker/node-sdk";
import { CliError } from "../errors.ts";

/** Reads `--restart`: `no`, `always`, `unless-stopped` or `on-failure[:N]`. Throws `CliError`. */
export function parseRestartPolicy(text: string): Required<RestartPolicy> {
  const [name = "", count, ...more] = text.split(":");
  if (count !== undefined) {
    if (name === "") throw new CliError("invalid restart policy format: no policy provided before colon");
    if (more.length > 0 || !/^(-?\d+)?$/.test(count))
      throw new CliError("invalid restart policy format: maximum retry count must be an integer");
  }
  return { Name: name as "no", MaximumRetryCount: Number(count ?? 0) };
}
