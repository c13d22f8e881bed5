import type { ContainerConfig, ImageConfig } from "@docker/node-sdk";
import { importName } from "../image/import.ts";
import { familiar } from "../image/reference.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { changesArchive } from "./files/archive.ts";
import { pauseContainer, resumeCommitted } from "./pause.ts";
import type { CommitOptions } from "./types.ts";

/** `docker commit`: the container's own layer becomes the topmost of a new image. */
export async function commitContainer(
  context: EngineContext,
  container: Container,
  options: CommitOptions,
): Promise<{ Id: string }> {
  const freeze = options.pause !== false && container.status === "running";
  if (freeze) await pauseContainer(context, container, { toCommit: true });
  try {
    const { record } = container;
    const { repo, tag, comment, author, changes } = options;
    const name = importName({ repo, tag });
    const Id = await context.images.commit({
      containerId: container.id,
      imageId: record.imageId,
      changed: await changesArchive(context, container),
      config: imageConfig(options.config ?? {}, record.config),
      createdBy: [record.path, ...record.args].filter(Boolean).join(" "),
      repo,
      tag,
      comment,
      author,
      changes,
    });
    containerEvent(context, container, "commit", {
      comment: comment ?? "",
      imageID: Id,
      imageRef: name ? familiar(name) : "",
    });
    return { Id };
  } finally {
    if (freeze) await resumeCommitted(context, container);
  }
}

/** What of a container's configuration an image has. */
const imageFields = [
  ...["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes"],
  ...["WorkingDir", "Labels", "StopSignal", "Healthcheck", "OnBuild", "Shell"],
] as const satisfies readonly (keyof ImageConfig & keyof ContainerConfig)[];

/** The configuration of the image that a container becomes; `given` goes before what the container has. */
function imageConfig(given: ContainerConfig, own: ContainerConfig): ImageConfig {
  const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== "";
  return Object.fromEntries(
    imageFields.map((field) => [field, isSet(given[field]) ? given[field] : own[field]]),
  );
}
