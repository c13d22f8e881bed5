import type { IncomingHttpHeaders } from "node:http";
import type { HostConfig } from "@docker/node-sdk";
import type { Entitlement, NamedContext, OriginBuildRequest, Secrets } from "../build/types.ts";
import type { Credentials } from "../image/index.ts";
import { parseAnnotations } from "../image/layout/annotations.ts";
import { invalid } from "../lib/errors.ts";
import { buildOutputs } from "./build-outputs.ts";
import type { Query } from "./query.ts";
import { toCredentials } from "./registry.ts";

/** What the query and the headers of POST /build ask for. Throws INVALID_PARAMETER. */
export function buildOptions(
  query: Query,
  headers: IncomingHttpHeaders,
  experimental: boolean,
): Omit<OriginBuildRequest, "onEvent" | "signal"> {
  if (query.text("version") === "2") {
    throw invalid("BuildKit's builder needs a session: set DOCKER_BUILDKIT=0, or use berth build");
  }
  // Berth's own clients need no such leave.
  if (query.flag("squash") && !experimental && !query.flag("events"))
    throw invalid("squash is only supported with experimental mode");
  return {
    dockerfileName: query.text("dockerfile"),
    tags: query.all("t").filter((tag) => tag !== ""),
    buildArgs: texts(query, "buildargs", true),
    labels: texts(query, "labels", false),
    target: query.text("target"),
    noCache: query.flag("nocache"),
    squash: query.flag("squash"),
    pull: query.flag("pull"),
    ...platforms(query.text("platform")),
    network: query.text("networkmode"),
    allow: query.all("allow").map(entitlement),
    ...contexts(query),
    hostConfig: hostConfig(query),
    credentials: credentials(headers["x-registry-config"]),
    secrets: secrets(headers["x-berth-build-secrets"]),
    outputs: buildOutputs(query),
    cacheFrom: list(query, "cachefrom"),
    inlineCache: query.flag("inlinecache"),
    provenance: provenance(query.text("provenance")),
    annotations: query.all("annotation").flatMap(parseAnnotations),
  };
}

/** Docker's clients give one; several are parted by commas. */
function platforms(text: string | undefined): Pick<OriginBuildRequest, "platform" | "platforms"> {
  const [platform, ...more] = (text ?? "").split(",").filter((part) => part !== "");
  if (platform === undefined) return {};
  return more.length === 0 ? { platform } : { platforms: [...new Set([platform, ...more])] };
}

/** A list of texts in JSON. */
function list(query: Query, name: string): string[] {
  const value = json(query, name) ?? [];
  if (!Array.isArray(value)) throw invalid(`error reading ${name}: not a list`);
  return value.filter((item) => typeof item === "string" && item !== "");
}

function provenance(text: string | undefined): "min" | "max" | undefined {
  if (text === undefined || text === "min" || text === "max") return text;
  throw invalid(`invalid provenance ${JSON.stringify(text)}: min or max`);
}

function hostConfig(query: Query): HostConfig {
  const ulimits = json(query, "ulimits");
  const number = (name: string): number => query.integer(name) ?? 0;
  return {
    Memory: number("memory"),
    MemorySwap: number("memswap"),
    CpuShares: number("cpushares"),
    CpuPeriod: number("cpuperiod"),
    CpuQuota: number("cpuquota"),
    CpusetCpus: query.text("cpusetcpus") ?? "",
    CpusetMems: query.text("cpusetmems") ?? "",
    CgroupParent: query.text("cgroupparent") ?? "",
    ShmSize: number("shmsize"),
    ExtraHosts: query.all("extrahosts").filter((entry) => entry !== ""),
    Ulimits: Array.isArray(ulimits) ? ulimits.filter(isRecord).map(ulimit) : [],
    SecurityOpt: query.all("securityopt").filter((option) => option !== ""),
    Isolation: (query.text("isolation") ?? "") as HostConfig["Isolation"],
  };
}

function entitlement(text: string): Entitlement {
  if (text === "network.host" || text === "security.insecure" || text === "device") return text;
  const [, device] = /^device=(.+)$/.exec(text) ?? [];
  if (device === undefined) throw invalid(`invalid entitlement: ${text}`);
  return `device=${device}`;
}

/**
 * `contexts`, which Docker does not have: a JSON object with a `directory` of the archive, an `image` or a
 * `remote` address by each name; the empty name is the build's own context.
 */
function contexts(query: Query): Pick<OriginBuildRequest, "contexts" | "directories"> {
  const value = json(query, "contexts") ?? {};
  if (!isRecord(value)) throw invalid("error reading contexts: not an object");
  const named: Record<string, NamedContext> = {};
  const directories: Record<string, string> = {};
  for (const [name, context] of Object.entries(value)) {
    if (!isRecord(context)) throw invalid(`error reading contexts: ${JSON.stringify(name)} is not an object`);
    const { directory, image, remote } = context;
    if (typeof directory === "string") directories[name] = directory;
    else if (typeof image === "string") named[name] = { image };
    else if (typeof remote === "string") named[name] = { remote };
    else throw invalid(`error reading contexts: ${JSON.stringify(name)} has no directory, image or remote`);
  }
  return { contexts: named, directories };
}

const ulimit = ({ Name, Soft, Hard }: Record<string, unknown>) => ({
  Name: String(Name),
  Soft: Number(Soft),
  Hard: Number(Hard),
});

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function json(query: Query, name: string): unknown {
  const text = query.text(name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`error reading ${name}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

/** A map of texts; null means "none of that name" where it is allowed. */
function texts(query: Query, name: string, nullable: true): Record<string, string | undefined>;
function texts(query: Query, name: string, nullable: false): Record<string, string>;
function texts(query: Query, name: string, nullable: boolean): Record<string, string | undefined> {
  const value = json(query, name) ?? {};
  if (!isRecord(value)) throw invalid(`error reading ${name}: not an object`);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]): [string, string | undefined][] => {
      if (typeof item === "string") return [[key, item]];
      if (item === null && nullable) return [[key, undefined]];
      throw invalid(`error reading ${name}: ${JSON.stringify(key)} is not a text`);
    }),
  );
}

/** X-Berth-Build-Secrets, which Docker does not have: JSON in base64url, each secret's bytes in base64 by its id. */
function secrets(header: string | string[] | undefined): Secrets {
  const value = typeof header === "string" ? decodeHeader(header) : {};
  return {
    read: async (id) => {
      const text = isRecord(value) && Object.hasOwn(value, id) ? value[id] : undefined;
      return typeof text === "string" ? Buffer.from(text, "base64") : undefined;
    },
  };
}

/** Undefined for what is not JSON in base64url. */
function decodeHeader(header: string): unknown {
  try {
    return JSON.parse(Buffer.from(header, "base64url").toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** X-Registry-Config: JSON in base64url, an entry for each registry. What cannot be read means none. */
function credentials(header: string | string[] | undefined): (host: string) => Credentials {
  if (typeof header !== "string" || header === "") return () => ({});
  const value = decodeHeader(header);
  const entries = isRecord(value) ? value : {};
  return (host) => {
    const names =
      host === "docker.io"
        ? ["https://index.docker.io/v1/", "docker.io", "index.docker.io"]
        : [host, `https://${host}`];
    const entry = names.map((name) => entries[name]).find(isRecord);
    return entry ? toCredentials(entry) : {};
  };
}
