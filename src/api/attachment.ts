import type { Attachment } from "../engine/types.ts";
import { parseDetachKeys } from "../lib/detach-keys.ts";
import type { Context } from "./context.ts";

/** Attaches to the container of a request, as its query asks. */
export async function openAttachment({ query, services, name }: Context): Promise<{
  attachment: Attachment;
  stdin: boolean;
  detachKeys: number[] | undefined;
}> {
  const stdin = query.flag("stdin");
  const keys = query.text("detachKeys");
  const detachKeys = keys === undefined ? undefined : parseDetachKeys(keys);
  const attachment = await services.containers.attach(name, {
    stdin,
    stdout: query.flag("stdout"),
    stderr: query.flag("stderr"),
    logs: query.flag("logs"),
    stream: query.flag("stream"),
  });
  return { attachment, stdin, detachKeys };
}
