import { hostname } from "node:os";
import type { ContainerConfig, ContainerCreateRequest } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";
import { orNull } from "../lib/or-null.ts";

/**
 * What the user asked for, completed by what the image says (Docker's merge): lists of the user
 * replace the image's, maps are joined, environment variables are joined by name.
 */
export function mergeConfig(
  request: ContainerCreateRequest,
  image: ContainerConfig,
  id: string,
): ContainerConfig {
  const entrypoint = request.Entrypoint;
  const ownEntrypoint = entrypoint !== undefined && entrypoint !== null;
  // An empty string as the only word is how the docker CLI says "no entrypoint".
  const cleared = ownEntrypoint && entrypoint.length === 1 && entrypoint[0] === "";
  // One without words keeps the image's words away, but not its command.
  const takesOver = ownEntrypoint && entrypoint.length > 0;
  const cmd = hasWords(request.Cmd) ? request.Cmd : takesOver ? null : (image.Cmd ?? null);
  return {
    Hostname: request.Hostname || (request.HostConfig?.NetworkMode === "host" ? hostname() : id.slice(0, 12)),
    Domainname: request.Domainname ?? "",
    User: request.User || image.User || "",
    AttachStdin: request.AttachStdin ?? false,
    AttachStdout: request.AttachStdout ?? false,
    AttachStderr: request.AttachStderr ?? false,
    ...maybe("ExposedPorts", joined(image.ExposedPorts, request.ExposedPorts)),
    Tty: request.Tty ?? false,
    OpenStdin: request.OpenStdin ?? false,
    StdinOnce: request.StdinOnce ?? false,
    Env: mergeEnv(image.Env ?? [], request.Env ?? []),
    Cmd: orNull(cmd),
    ...maybe("Healthcheck", mergeHealthcheck(request, image)),
    Image: request.Image ?? "",
    Volumes: orNull(hasKeys(joined(image.Volumes, request.Volumes))),
    WorkingDir: request.WorkingDir || image.WorkingDir || "",
    Entrypoint: orNull(cleared ? null : ownEntrypoint ? entrypoint : image.Entrypoint),
    ...maybe("NetworkDisabled", request.NetworkDisabled || undefined),
    ...maybe("MacAddress", request.MacAddress || undefined),
    OnBuild: null,
    Labels: { ...image.Labels, ...request.Labels },
    ...maybe("StopSignal", request.StopSignal || image.StopSignal || undefined),
    ...maybe("StopTimeout", request.StopTimeout ?? undefined),
    ...maybe("Shell", request.Shell ?? image.Shell ?? undefined),
  };
}

/** The words that exec gets: entrypoint, then command. Throws dockerd's text when there are none. */
export function commandLine(config: ContainerConfig): { path: string; args: string[] } {
  const [path, ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (path === undefined) throw invalid("no command specified");
  return { path, args };
}

const hasWords = (words: string[] | null | undefined): words is string[] => !!words && words.length > 0;

/** Nothing instead of an empty object. */
const hasKeys = <T extends object>(object: T | undefined): T | undefined =>
  object && Object.keys(object).length > 0 ? object : undefined;

const joined = <T extends object>(a: T | null | undefined, b: T | null | undefined): T | undefined =>
  a || b ? ({ ...a, ...b } as T) : undefined;

const maybe = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });

function mergeEnv(image: string[], own: string[]): string[] {
  const names = new Set(own.map(envName));
  // A bare name in the request unsets the image's variable.
  return [
    ...own.filter((variable) => variable.includes("=")),
    ...image.filter((variable) => !names.has(envName(variable))),
  ];
}

const envName = (variable: string): string => variable.split("=", 1)[0] ?? variable;

function mergeHealthcheck(request: ContainerConfig, image: ContainerConfig): ContainerConfig["Healthcheck"] {
  const own = request.Healthcheck;
  if (!own) return image.Healthcheck ?? undefined;
  const base = image.Healthcheck ?? {};
  return {
    Test: own.Test?.length ? own.Test : base.Test,
    Interval: own.Interval || base.Interval,
    Timeout: own.Timeout || base.Timeout,
    StartPeriod: own.StartPeriod || base.StartPeriod,
    StartInterval: own.StartInterval || base.StartInterval,
    Retries: own.Retries || base.Retries,
  };
}
