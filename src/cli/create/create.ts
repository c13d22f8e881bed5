import type { ContainerCreateRequest, ContainerCreateResponse } from "@docker/node-sdk";
import { fs } from "../builtin.ts";
import { type Client, isOlder } from "../client/client.ts";
import { ApiError, CliError, errorMessage } from "../errors.ts";
import { checkReference, withDefaultTag } from "../format/reference.ts";
import { err } from "../io/output.ts";
import { checkPlatform } from "../platform.ts";
import { openError } from "./env.ts";
import type { ContainerValues } from "./request.ts";

/** Makes a container, pulling its image if need be, and resolves to its id. */
export async function createContainer(
  client: Client,
  flags: ContainerValues,
  request: ContainerCreateRequest,
): Promise<string> {
  const { HostConfig = {}, Image = "" } = request;
  const local = HostConfig.Dns?.find((address) => /^127\.|^::1$/.test(address));
  if (local) err(`WARNING: Localhost DNS (${local}) may fail in containers.\n`);

  const file = openIdFile(flags.cidfile);
  let id = "";
  try {
    if (!/^[0-9a-f]{64}$/.test(Image)) checkReference(Image);
    if (flags.pull === "always") await pull(client, Image, flags);
    const response = await send(client, flags, request).catch(async (error: unknown) => {
      if (!(error instanceof ApiError && error.status === 404 && flags.pull === "missing")) throw error;
      // Another thing that the request names, a network or a container, may be the missing one.
      if (!/no such image/i.test(error.message)) throw error;
      if (!flags.quiet) err(`Unable to find image '${withDefaultTag(Image)}' locally\n`);
      await pull(client, Image, flags);
      return await send(client, flags, request);
    });
    for (const warning of response.Warnings ?? []) err(`WARNING: ${warning}\n`);
    id = response.Id;
    return id;
  } finally {
    if (file !== undefined) {
      if (id) fs.writeSync(file, id);
      else fs.unlinkSync(flags.cidfile);
      fs.closeSync(file);
    }
  }
}

async function send(
  client: Client,
  flags: ContainerValues,
  request: ContainerCreateRequest,
): Promise<ContainerCreateResponse> {
  let platform: string | undefined;
  if (flags.platform) {
    try {
      platform = checkPlatform(flags.platform);
    } catch (error) {
      throw new CliError(`error parsing specified platform: ${errorMessage(error)}`);
    }
    if (isOlder(await client.negotiate(), "1.41")) platform = undefined;
  }
  return await client.json<ContainerCreateResponse>("POST", "/containers/create", {
    query: { name: flags.name || undefined, platform },
    body: request,
  });
}

async function pull(client: Client, image: string, { platform, quiet }: ContainerValues): Promise<void> {
  const { pullImage } = await import("../pull.ts");
  await pullImage(client, image, { platform, fd: quiet ? 0 : 2 });
}

function openIdFile(path: string): number | undefined {
  if (path === "") return undefined;
  if (fs.existsSync(path))
    throw new CliError(
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  try {
    return fs.openSync(path, "wx", 0o644);
  } catch (error) {
    throw new CliError(`failed to create the container ID file: ${openError(path, error)}`);
  }
}

/** Throws `CliError` for a `--pull` that docker does not know. */
export function checkPull(pull: string): void {
  if (!["always", "missing", "never", ""].includes(pull))
    throw new CliError(`invalid pull option: '${pull}': must be one of "always", "missing" or "never"`);
}
