import type { Client } from "./client/client.ts";
import { authHeader } from "./credentials.ts";
import { parseReference } from "./format/reference.ts";
import { showProgress } from "./io/progress.ts";

/** Pulls an image, or with an empty tag all of a repository, and shows the progress on `fd` (0 for nowhere). */
export async function pullImage(
  client: Client,
  image: string,
  { platform, fd, all = false }: { platform: string; fd: 0 | 1 | 2; all?: boolean },
): Promise<void> {
  const { name, tag, digest } = parseReference(image);
  const response = await client.request("POST", "/images/create", {
    query: {
      fromImage: name,
      tag: all ? undefined : (digest ?? tag ?? "latest"),
      platform: platform || undefined,
    },
    headers: await authHeader(image),
  });
  await showProgress(response.body, { fd });
}
