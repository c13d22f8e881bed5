import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Agent as HttpAgent } from "node:http";
import type { AgentOptions } from "node:https";
import { isIP } from "node:net";
import { join } from "node:path";
import { invalid } from "../../lib/errors.ts";
import { http, https } from "../../lib/http.ts";
import { isRecord } from "../document.ts";

/** How registries are reached. */
export interface RegistryConfig {
  /** Directories with a directory per registry: `ca.crt`, `client.cert`, `client.key`. */
  certificates: string[];
  /** Base URLs that are asked before the registry itself, by the registry's host. */
  mirrors: Record<string, string[]>;
  /** Hosts that may be spoken to without encryption or with certificates that cannot be checked. */
  insecure: string[];
}

export const defaultRegistryConfig: RegistryConfig = {
  certificates: ["/etc/berth/certs.d", "/etc/docker/certs.d", "/etc/containers/certs.d"],
  mirrors: {},
  insecure: [],
};

/**
 * Reads `{"mirrors": {"docker.io": ["https://…"]}, "insecure": ["host:port"], "certificates": ["/dir"]}`;
 * the default when there is no such file. Throws INVALID_PARAMETER for what it does not understand.
 */
export function readRegistryConfig(file: string): RegistryConfig {
  if (!existsSync(file)) return defaultRegistryConfig;
  const bad = (what: string): Error => invalid(`${file}: ${what}`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error));
  }
  if (!isRecord(value)) throw bad("not a JSON object");
  const list = (item: unknown, name: string): string[] => {
    if (!Array.isArray(item) || !item.every((text) => typeof text === "string"))
      throw bad(`${name} is not a list of strings`);
    return item;
  };
  const config: RegistryConfig = { ...defaultRegistryConfig };
  for (const [key, item] of Object.entries(value)) {
    if (key === "insecure") config.insecure = list(item, key);
    else if (key === "certificates") config.certificates = list(item, key);
    else if (key === "mirrors" && isRecord(item)) {
      config.mirrors = Object.fromEntries(
        Object.entries(item).map(([host, urls]) => [host, list(urls, `mirrors of ${host}`)]),
      );
    } else throw bad(`unknown key ${JSON.stringify(key)}`);
  }
  return config;
}

/** A place that serves the distribution API. */
export interface Endpoint {
  /** Ends with a slash, before `v2/` or `v1/`. */
  base: URL;
  agent: HttpAgent;
  mirror: boolean;
}

const hub = "docker.io";
const hubHosts = { v2: "registry-1.docker.io", v1: "index.docker.io" };
/** The API of registries, or the older one that only search is left of. */
export type ApiVersion = keyof typeof hubHosts;

/** Whether a host is this machine, with which plain HTTP is safe. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "::1" ||
    (isIP(name) === 4 && name.startsWith("127."))
  );
}

/** Finds where a registry is served, and keeps the connections to it. */
export class RegistryHosts {
  readonly #config: RegistryConfig;
  readonly #agents = new Map<string, HttpAgent>();
  /** What a host was found to speak. */
  readonly #schemes = new Map<string, "http:" | "https:">();

  constructor(config: RegistryConfig) {
    this.#config = config;
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  /**
   * The endpoints of a registry in the order in which they are to be tried: mirrors first, and for hosts
   * that may be insecure HTTPS before HTTP.
   */
  endpoints(domain: string, options: { mirrors: boolean; api: ApiVersion }): Endpoint[] {
    const mirrors = options.mirrors ? (this.#config.mirrors[domain] ?? []) : [];
    return [...mirrors.map((url) => this.#mirror(url)), ...this.#own(domain, options.api)];
  }

  /** Remembers what a host speaks, so that the next request does not try the other. */
  found(endpoint: Endpoint): void {
    const { protocol, host } = endpoint.base;
    if (protocol === "http:" || protocol === "https:") this.#schemes.set(host, protocol);
  }

  #mirror(url: string): Endpoint {
    if (!URL.canParse(url) || !/^https?:\/\//.test(url))
      throw invalid(`invalid mirror ${JSON.stringify(url)}: not a URL`);
    const base = new URL(url.endsWith("/") ? url : `${url}/`);
    return { base, agent: this.#agent(base), mirror: true };
  }

  #own(domain: string, api: ApiVersion): Endpoint[] {
    const host = domain === hub ? hubHosts[api] : domain;
    const known = this.#schemes.get(host);
    const schemes = known ? [known] : this.#isInsecure(domain) ? ["https:", "http:"] : ["https:"];
    return schemes.map((scheme) => {
      const base = new URL(`${scheme}//${host}/`);
      return { base, agent: this.#agent(base), mirror: false };
    });
  }

  #isInsecure(domain: string): boolean {
    return isLoopback(domain) || this.#config.insecure.includes(domain);
  }

  #agent(base: URL): HttpAgent {
    const known = this.#agents.get(base.origin);
    if (known) return known;
    const options = { keepAlive: true, maxSockets: 16, timeout: 60_000 };
    const agent =
      base.protocol === "https:"
        ? new (https().Agent)({ ...options, ...this.#tls(base.host) })
        : new http.Agent(options);
    this.#agents.set(base.origin, agent);
    return agent;
  }

  #tls(host: string): AgentOptions {
    const authorities: string[] = [];
    const options: AgentOptions = { rejectUnauthorized: !this.#isInsecure(host) };
    for (const directory of this.#config.certificates
      .map((root) => join(root, host))
      .filter((path) => existsSync(path))) {
      for (const name of readdirSync(directory)) {
        if (name.endsWith(".crt")) authorities.push(readFileSync(join(directory, name), "utf8"));
        const key = join(directory, name.replace(/\.cert$/, ".key"));
        if (name.endsWith(".cert") && existsSync(key)) {
          options.cert = readFileSync(join(directory, name), "utf8");
          options.key = readFileSync(key, "utf8");
        }
      }
    }
    // Somebody who gives a registry its own authority wants it checked, also on this machine.
    if (authorities.length > 0) {
      const { rootCertificates } = process.getBuiltinModule("node:tls");
      return { ...options, ca: [...rootCertificates, ...authorities], rejectUnauthorized: true };
    }
    return options;
  }
}
