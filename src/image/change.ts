import type { ImageConfig } from "@docker/node-sdk";
import { invalid } from "../lib/errors.ts";
import { changeHealthcheck } from "./healthcheck.ts";
import { splitPairs, splitWords } from "./words.ts";

type Change = (config: ImageConfig, rest: string, original: string) => void;

const changes: Record<string, Change> = {
  CMD: (config, rest) => {
    config.Cmd = command(rest);
  },
  ENTRYPOINT: (config, rest) => {
    config.Entrypoint = command(rest);
  },
  ENV: (config, rest) => {
    const environment = new Map((config.Env ?? []).map((entry) => splitOnce(entry)));
    for (const [key, value] of pairs("ENV", rest)) environment.set(key, value);
    config.Env = [...environment].map(([key, value]) => `${key}=${value}`);
  },
  EXPOSE: (config, rest) => {
    config.ExposedPorts = {
      ...config.ExposedPorts,
      ...Object.fromEntries(exposedPorts(splitWords(rest)).map((port) => [port, {}])),
    };
  },
  HEALTHCHECK: (config, rest) => {
    config.Healthcheck = changeHealthcheck(rest, jsonWords);
  },
  LABEL: (config, rest) => {
    config.Labels = { ...config.Labels, ...Object.fromEntries(pairs("LABEL", rest)) };
  },
  ONBUILD: (config, rest) => {
    config.OnBuild = [...(config.OnBuild ?? []), rest];
  },
  STOPSIGNAL: (config, rest) => {
    config.StopSignal = one("STOPSIGNAL", rest);
  },
  USER: (config, rest) => {
    config.User = one("USER", rest);
  },
  VOLUME: (config, rest) => {
    const paths = jsonWords(rest) ?? splitWords(rest);
    config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
  },
  WORKDIR: (config, rest) => {
    const path = one("WORKDIR", rest);
    config.WorkingDir = path.startsWith("/")
      ? path
      : `${config.WorkingDir || "/"}/${path}`.replace(/\/+/g, "/");
  },
};

/**
 * Applies Dockerfile instructions to an image's configuration, as `docker import --change` and
 * `docker commit --change` allow them. Throws INVALID_PARAMETER for others and for malformed ones.
 */
export function applyChanges(config: ImageConfig, lines: readonly string[]): ImageConfig {
  const result: ImageConfig = structuredClone(config);
  for (const line of lines.flatMap((text) => text.split("\n"))) {
    const text = line.trim();
    if (text === "") continue;
    const [, name = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
    const change = changes[name.toUpperCase()];
    if (!change || !Object.hasOwn(changes, name.toUpperCase())) {
      throw invalid(`${name.toLowerCase()} is not a valid change command`);
    }
    if (rest === "") throw invalid(`${name.toUpperCase()} requires at least one argument`);
    change(result, rest, text);
  }
  return result;
}

function splitOnce(entry: string): [string, string] {
  const equals = entry.indexOf("=");
  return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** A command in its JSON form, or given to a shell. */
function command(rest: string): string[] {
  return jsonWords(rest) ?? ["/bin/sh", "-c", rest];
}

function jsonWords(rest: string): string[] | undefined {
  if (!rest.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(rest);
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  } catch (error) {
    // What is not JSON is a shell's command that begins with a bracket, as Docker takes it.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return undefined;
}

function pairs(name: string, rest: string): [string, string][] {
  const result = splitPairs(rest);
  if (result.length === 0) throw invalid(`${name} must have two arguments`);
  for (const [key] of result) if (key === "") throw invalid(`${name} names can not be blank`);
  return result;
}

function one(name: string, rest: string): string {
  const words = splitWords(rest);
  if (words.length !== 1 || !words[0]) throw invalid(`${name} requires exactly one argument`);
  return words[0];
}

/**
 * The words of EXPOSE as an image has them: "80/tcp". Ranges become all of their ports, and of a mapping only
 * the container's side counts. Throws INVALID_PARAMETER.
 */
export function exposedPorts(words: readonly string[]): string[] {
  return words.flatMap((word) => {
    const [, ports = "", written = "tcp"] = /^([^/]*)(?:\/(.*))?$/s.exec(word) ?? [];
    const protocol = written.toLowerCase() || "tcp";
    if (!["tcp", "udp", "sctp"].includes(protocol)) throw invalid(`invalid proto: ${written}`);
    const own = ports.slice(ports.lastIndexOf(":") + 1);
    if (own === "") throw invalid(`no port specified: ${word}<empty>`);
    const [, first = "", last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(own) ?? [];
    const [low, high] = [Number(first), Number(last)];
    if (first === "" || high > 65_535 || low > high) throw invalid(`invalid containerPort: ${own}`);
    return Array.from({ length: high - low + 1 }, (_, index) => `${low + index}/${protocol}`);
  });
}
