import { arch, release } from "node:os";
import type { EventMessage, SystemDataUsageResponse, SystemInfo, SystemVersion } from "@docker/node-sdk";
import { newestApi, oldestApi } from "../../lib/api-version.ts";
import { invalid } from "../../lib/errors.ts";
import { orNull } from "../../lib/or-null.ts";
import { berthVersion } from "../../lib/version.ts";
import type { EngineContext } from "../context.ts";
import { summarize } from "../list.ts";
import { containerSizes } from "../sizes.ts";
import type { EventsOptions, System } from "../types.ts";
import { systemInfo } from "./info.ts";

const OBJECTS = ["container", "image", "volume", "build-cache"];

/** The engine as a whole: what it is, what it holds, what happens in it. */
export class SystemVerbs implements System {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  info(): Promise<SystemInfo> {
    return systemInfo(this.#context);
  }

  async version(): Promise<SystemVersion> {
    const architecture = goArchitecture();
    const own = {
      Version: berthVersion,
      ApiVersion: newestApi,
      MinAPIVersion: oldestApi,
      GitCommit: "",
      GoVersion: "",
      Os: "linux",
      Arch: architecture,
      KernelVersion: release(),
    };
    const { Version, ...details } = own;
    return {
      Platform: { Name: "Berth" },
      Components: [
        { Name: "Engine", Version, Details: { ...details, Experimental: "false", BuildTime: "" } },
        { Name: "node", Version: process.versions.node, Details: { GitCommit: "" } },
      ],
      ...own,
      BuildTime: "",
    };
  }

  async diskUsage(types: string[] = OBJECTS): Promise<SystemDataUsageResponse> {
    const unknown = types.find((type) => !OBJECTS.includes(type));
    if (unknown !== undefined) throw invalid(`unknown object type: ${unknown}`);
    const usage: SystemDataUsageResponse = {};
    if (types.includes("image")) {
      const { layersSize, images } = await this.#context.images.diskUsage();
      usage.LayersSize = layersSize;
      usage.Images = images;
    }
    if (types.includes("container")) {
      usage.Containers = await Promise.all(
        this.#context.table
          .all()
          .reverse()
          .map(async (container) => ({
            ...summarize(this.#context, container),
            ...(await containerSizes(this.#context, container)),
          })),
      );
    }
    if (types.includes("volume")) usage.Volumes = await this.#context.volumes.diskUsage();
    if (types.includes("build-cache")) usage.BuildCache = orNull<[]>(null);
    return usage;
  }

  events(options?: EventsOptions, signal?: AbortSignal): AsyncIterable<EventMessage> {
    return this.#context.events.subscribe(options, signal);
  }
}

/** Node's name of the architecture in Go's words. */
function goArchitecture(): string {
  const names: Record<string, string> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };
  return names[arch()] ?? arch();
}
