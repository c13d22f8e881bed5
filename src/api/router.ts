import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE";

/** One row of a resource's route table. */
export interface Route {
  method: Method;
  /** At most one `{name}`, which also matches slashes: "/images/{name}/json". */
  path: string;
  handle: (context: Context) => Promise<void> | void;
  /** The handler may take the connection over when the client asks for `Upgrade`. */
  upgrade?: boolean;
}

export interface Match {
  route: Route;
  /** The client's version without "v", if the path has one. */
  version: string | undefined;
  /** What stood for `{name}`, decoded and without a leading slash. */
  name: string;
}

interface Pattern {
  prefix: string;
  suffix: string;
  route: Route;
}

const versioned = /^\/v([0-9.]+)(\/.*)$/;

/** Finds a path's route: by table for fixed paths, by prefix and suffix for the others. */
export class Router {
  readonly #fixed = new Map<string, Route>();
  readonly #patterns = new Map<string, Pattern[]>();

  constructor(tables: Route[][]) {
    for (const route of tables.flat()) this.#add(route);
    for (const list of this.#patterns.values()) {
      list.sort((a, b) => b.suffix.length - a.suffix.length);
    }
  }

  #add(route: Route): void {
    const open = route.path.indexOf("{");
    if (open < 0) {
      const key = `${route.method} ${route.path}`;
      if (this.#fixed.has(key)) throw new Error(`two routes for ${key}`);
      this.#fixed.set(key, route);
      return;
    }
    const prefix = route.path.slice(0, open);
    const suffix = route.path.slice(route.path.indexOf("}") + 1);
    const key = `${route.method} ${prefix}`;
    const list = this.#patterns.get(key);
    if (list) list.push({ prefix, suffix, route });
    else this.#patterns.set(key, [{ prefix, suffix, route }]);
  }

  /** The route for a request's method and path (no query), or null. */
  match(method: string, path: string): Match | null {
    const parts = path.startsWith("/v") ? versioned.exec(path) : null;
    const version = parts?.[1];
    const rest = parts?.[2] ?? path;
    const fixed = this.#fixed.get(`${method} ${rest}`);
    if (fixed) return { route: fixed, version, name: "" };

    for (let end = rest.indexOf("/", 1); end > 0; end = rest.indexOf("/", end + 1)) {
      const candidates = this.#patterns.get(`${method} ${rest.slice(0, end + 1)}`) ?? [];
      for (const { prefix, suffix, route } of candidates) {
        if (rest.length > prefix.length + suffix.length && rest.endsWith(suffix)) {
          const raw = rest.slice(prefix.length, rest.length - suffix.length);
          return { route, version, name: decode(raw) };
        }
      }
    }
    return null;
  }
}

function decode(raw: string): string {
  let name = raw;
  if (raw.includes("%")) {
    try {
      name = decodeURIComponent(raw);
    } catch (error) {
      throw invalid(`invalid URL escape in ${JSON.stringify(raw)}`, error);
    }
  }
  return name.startsWith("/") ? name.slice(1) : name;
}
