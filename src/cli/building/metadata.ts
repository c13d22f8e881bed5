import type { BuiltMessage } from "../../lib/build-events.ts";
import { fs } from "../builtin.ts";
import { parseCsv } from "../create/csv.ts";
import { openError } from "../create/env.ts";
import { CliError } from "../errors.ts";

/** Writes what came of a build under the names that buildx gives it. Throws `CliError`. */
export function writeMetadata(file: string, { id, digest, names, provenance = {} }: BuiltMessage): void {
  const platforms = Object.entries(provenance);
  const [first] = platforms;
  const statements =
    platforms.length === 1 && first
      ? { "buildx.build.provenance": first[1] }
      : Object.fromEntries(
          platforms.map(([platform, value]) => [`buildx.build.provenance/${platform}`, value]),
        );
  const metadata = {
    ...statements,
    "containerimage.config.digest": id,
    ...(digest ? { "containerimage.digest": digest } : {}),
    ...(names.length > 0 ? { "image.name": names.join(",") } : {}),
  };
  try {
    fs.writeFileSync(file, `${JSON.stringify(metadata, null, 2)}\n`);
  } catch (error) {
    throw new CliError(openError(file, error));
  }
}

/** What `--provenance` and `--attest` ask for; undefined for nothing. Throws `CliError`. */
export function provenanceMode(text: string, attest: readonly string[]): "min" | "max" | undefined {
  const wishes = attest.map(readWish);
  if (text !== "")
    wishes.push(
      readWish(`type=provenance,${/^(true|false)$/.test(text) ? `disabled=${text === "false"}` : text}`),
    );
  let mode: "min" | "max" | undefined;
  for (const wish of wishes) {
    if (wish.get("type") !== "provenance")
      throw new CliError(
        `unsupported attestation type ${JSON.stringify(wish.get("type") ?? "")}: only provenance is made`,
      );
    const wanted = wish.get("mode") ?? "min";
    if (wanted !== "min" && wanted !== "max")
      throw new CliError(`invalid provenance mode ${JSON.stringify(wanted)}: min or max`);
    mode = wish.get("disabled") === "true" ? undefined : wanted;
  }
  return mode;
}

function readWish(text: string): Map<string, string> {
  return new Map(
    parseCsv(text).map((field) => {
      const equals = field.indexOf("=");
      if (equals < 0) throw new CliError(`invalid value ${JSON.stringify(field)}: must be a key=value pair`);
      return [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
}
