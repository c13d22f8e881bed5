import type { ContainerWaitResponse } from "@docker/node-sdk";
import { type Client, text } from "../client/client.ts";
import type { HttpResponse } from "../client/http.ts";
import { err } from "./output.ts";

/** Which streams of a container to attach, and the keys that detach (empty for the default). */
export interface AttachRequest {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  detachKeys: string;
}

/** Attaches to a container; the answer's connection carries its streams. */
export function attachContainer(client: Client, id: string, request: AttachRequest): Promise<HttpResponse> {
  const { stdin, stdout, stderr, detachKeys } = request;
  return client.request("POST", `/containers/${id}/attach`, {
    query: {
      stream: 1,
      stdin: stdin ? 1 : undefined,
      stdout: stdout ? 1 : undefined,
      stderr: stderr ? 1 : undefined,
      detachKeys: detachKeys || undefined,
    },
    upgrade: true,
  });
}

/** Begins to wait for a container's exit (`next-exit`) or removal; its status comes later, in the body. */
export function waitContainer(
  client: Client,
  id: string,
  condition: "next-exit" | "removed",
): Promise<HttpResponse> {
  return client.request("POST", `/containers/${id}/wait`, { query: { condition } });
}

/** The exit status that a wait ends with; 125 when waiting failed. */
export async function exitStatus(waiting: HttpResponse): Promise<number> {
  const status = JSON.parse(await text(waiting.body)) as ContainerWaitResponse;
  if (!status.Error?.Message) return status.StatusCode;
  err(`Error waiting for container: ${status.Error.Message}\n`);
  return 125;
}
