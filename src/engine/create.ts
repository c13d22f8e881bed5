import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ContainerCreateRequest, ContainerCreateResponse } from "@docker/node-sdk";
import { parsePlatform, platformDistance } from "../image/platform.ts";
import type { Platform, ResolvedImage } from "../image/types.ts";
import { invalid, notFound } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { signalNumber } from "../lib/signals.ts";
import { timestamp } from "../lib/time.ts";
import { limitWarnings } from "../runtime/limits.ts";
import type { Looks } from "./ahead.ts";
import { commandLine, mergeConfig } from "./config.ts";
import { checkConflicts, vainOptions } from "./conflicts.ts";
import type { Container } from "./container.ts";
import { containerEvent } from "./container-events.ts";
import type { EngineContext } from "./context.ts";
import { discardTree } from "./discard-tree.ts";
import { closeDisk, diskLimit, openDisk } from "./disk.ts";
import { validateHealthcheck } from "./health/config.ts";
import { normalizeHostConfig } from "./host-config.ts";
import { isIsolated, withIsolation } from "./isolation/isolation.ts";
import { logPath } from "./logs/options.ts";
import { makeMounts } from "./mounts/volume-use.ts";
import { checkName, generateName } from "./names.ts";
import { newLinks } from "./network/links.ts";
import { checkPolicy } from "./policy.ts";
import { type ContainerRecord, initialState } from "./record.ts";
import { checkRequest } from "./request-checks.ts";
import { sharedWith } from "./spec/namespaces.ts";
import { rlimits } from "./spec/process.ts";

/** Makes a container from a request; nothing stays when it fails. */
export async function createContainer(
  context: EngineContext,
  request: ContainerCreateRequest,
  options: { name?: string; platform?: string } = {},
): Promise<ContainerCreateResponse> {
  const { images } = context;
  const wanted = options.name ? checkName(options.name) : null;
  const image = await images.resolve(request.Image ?? "");
  if (options.platform) checkPlatform(request.Image ?? "", image.platform, options.platform);
  return createFrom(context, request, image, wanted);
}

/** Makes a container of an image that was found already, or of layers that are no image yet. */
export async function createFrom(
  context: EngineContext,
  request: ContainerCreateRequest,
  image: ResolvedImage,
  wanted: string | null,
  options: { layerIds?: readonly number[]; step?: boolean } = {},
): Promise<ContainerCreateResponse> {
  const { table, images } = context;
  const { record, warnings } = newRecord(context, request, image, (looks, recordOf) =>
    context.ahead.recordFor(looks, recordOf),
  );
  if (options.step) record.step = true;
  record.name = wanted ?? generateName((candidate) => table.hasName(candidate));
  for (const warning of warnings) context.log.warn(warning, { container: record.name });

  const { id } = record;
  const container = context.state.transaction(() => {
    images.use(image.id, id, options.layerIds);
    return table.add(record);
  });
  try {
    if (!context.ahead.hasDirectories(id)) await makeDirectories(context, record);
    await makeMounts(context, container, image.layers);
  } catch (error) {
    await discard(context, container);
    throw error;
  }
  containerEvent(context, container, "create");
  void context.ahead.created(container);
  return { Id: id, Warnings: warnings };
}

/** An image of another platform is as good as none; throws NOT_FOUND with dockerd's words. */
function checkPlatform(ref: string, found: Platform, wanted: string): void {
  if (platformDistance(parsePlatform(wanted), found) !== null) return;
  const own = [found.os, found.architecture, found.variant].filter(Boolean).join("/");
  throw notFound(
    `image with reference ${ref} was found but its platform (${own}) does not match the specified platform (${wanted})`,
  );
}

/** The record of a container that is to be, without a name: checked and complete, but kept nowhere. */
export function newRecord(
  context: EngineContext,
  request: ContainerCreateRequest,
  image: ResolvedImage,
  choose: (looks: Looks, recordOf: (id: string) => ContainerRecord) => ContainerRecord = (_, recordOf) =>
    recordOf(newId()),
): { record: ContainerRecord; warnings: string[] } {
  checkRequest(request);
  checkConflicts(request);
  const hostConfig = normalizeHostConfig(withIsolation(context, request.HostConfig));
  const warnings = [
    ...vainOptions(hostConfig),
    ...checkPolicy(hostConfig, context.cgroups.support),
    // A virtual machine's launcher raises what it wants.
    ...(isIsolated(hostConfig) ? [] : limitWarnings(rlimits(hostConfig))),
  ];
  const imageConfig = image.document.config ?? {};
  checkWorkingDirectory(request.WorkingDir);
  const links = newLinks(context, hostConfig);
  // Who shares a network is one host to others.
  const peer = context.table.find(sharedWith(hostConfig.NetworkMode) ?? "")?.record.config;
  const recordOf = (id: string): ContainerRecord => {
    const config = mergeConfig(request, imageConfig, id);
    if (peer) Object.assign(config, { Hostname: peer.Hostname, Domainname: peer.Domainname });
    return {
      id,
      name: "",
      created: timestamp(),
      imageId: image.id,
      ...commandLine(config),
      config,
      hostConfig,
      networking: request.NetworkingConfig ?? {},
      mounts: [],
      links,
      cgroupPath: join("/", hostConfig.CgroupParent || context.cgroupParent, id),
      state: initialState(),
    };
  };
  const looks = { config: { ...request, User: request.User || imageConfig.User }, hostConfig };
  const record = choose(looks, recordOf);
  validateHealthcheck(record.config.Healthcheck);
  if (record.config.StopSignal) signalNumber(record.config.StopSignal);
  return { record, warnings };
}

function checkWorkingDirectory(path = ""): void {
  if (path === "" || path.startsWith("/")) return;
  throw invalid(`the working directory '${path}' is invalid, it needs to be an absolute path`);
}

/** Where a container keeps its writable layer, log and configuration files. */
export const containerDirectory = (context: EngineContext, id: string): string =>
  join(context.state.paths.containers, id);

/** Makes what is in it before the first start. */
export async function makeDirectories(
  context: EngineContext,
  { id, hostConfig }: ContainerRecord,
): Promise<void> {
  const directory = containerDirectory(context, id);
  // The container's root passes through here to its own upper directory.
  mkdirSync(directory, { mode: 0o711 });
  mkdirSync(join(directory, "rw"), { mode: 0o711 });
  const limit = diskLimit(hostConfig);
  if (limit !== null) {
    await openDisk(directory, limit);
  } else {
    mkdirSync(join(directory, "rw", "upper"), { mode: 0o755 });
    mkdirSync(join(directory, "rw", "work"), { mode: 0o711 });
  }
  const log = logPath(hostConfig, directory, id);
  if (log !== "" && dirname(log) !== directory) mkdirSync(dirname(log), { mode: 0o700 });
}

/** Takes a container out of the world: its row first, so that a crash leaves only what reconciliation removes. */
export async function discard(context: EngineContext, container: Container): Promise<void> {
  context.table.delete(container);
  context.images.release(container.id);
  await closeDisk(containerDirectory(context, container.id));
  discardTree(context, containerDirectory(context, container.id));
}
