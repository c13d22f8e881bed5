import { hostname } from "node:os";
import { invalid } from "../../lib/errors.ts";
import { shortId } from "../../lib/ids.ts";
import type { ContainerRecord } from "../record.ts";

type Named = Pick<ContainerRecord, "id" | "name" | "imageId" | "config">;

/** What a tag's template may name. */
const fields: Record<string, (record: Named) => string> = {
  ID: ({ id }) => shortId(id),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ imageId }) => shortId(imageId.replace(/^sha256:/, "")),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ config }) => config.Image ?? "",
  DaemonName: () => "docker",
  Hostname: () => hostname(),
};

/**
 * The log option `tag`: text with fields such as {{.Name}} in it. Functions of Go's templates are not
 * known and refused with INVALID_PARAMETER, as is what is not closed.
 */
export function expandTag(template: string, record: Named): string {
  return template.replace(/\{\{(?:\s*\.(\w+)\s*\}\})?/g, (whole, name?: string) => {
    const field = name === undefined ? undefined : fields[name];
    if (!field)
      throw invalid(`failed to initialize logging driver: template: log-tag:1: cannot read ${whole}`);
    return field(record);
  });
}
