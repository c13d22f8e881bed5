import { invalid, system } from "../../lib/errors.ts";
import { isRecord, parseObject } from "../document.ts";
import { booleanFilter, checkFilters } from "../filters.ts";
import type { ImageFilters, SearchOptions, SearchResult } from "../types.ts";
import type { RegistryHosts } from "./hosts.ts";
import { readBody } from "./http.ts";
import { Session } from "./session.ts";

const filterNames = ["is-automated", "is-official", "stars"];
const defaultLimit = 25;

/** See `Images.search`. */
export async function search(
  hosts: RegistryHosts,
  term: string,
  { credentials = {}, limit = defaultLimit, filters = {}, signal }: SearchOptions = {},
): Promise<SearchResult[]> {
  const keep = resultFilter(filters);
  if (limit < 1 || limit > 100) throw invalid(`Limit ${limit} is outside the range of [1, 100]`);
  if (term.includes("://")) throw invalid('invalid repository name (ex: "registry.domain.tld/myrepos")');
  const { domain, words } = splitTerm(term);
  const session = new Session({ hosts, domain, scope: "", credentials, mirrors: false, api: "v1", signal });
  const query = new URLSearchParams({ q: words, n: String(limit) });
  const answer = await session.ask({ method: "GET", path: `search?${query}`, expect: [200] });
  const { results } = parseObject(await readBody(answer), "search result");
  if (!Array.isArray(results)) throw system(`${answer.url.host} answered the search with no list of results`);
  return results.filter(isRecord).map(toResult).filter(keep);
}

/** A term may begin with the registry that is to be asked. */
function splitTerm(term: string): { domain: string; words: string } {
  const slash = term.indexOf("/");
  const first = slash < 0 ? "" : term.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === "localhost";
  const domain = isHost && first !== "index.docker.io" ? first : "docker.io";
  const words = isHost ? term.slice(slash + 1) : term;
  return { domain, words: domain === "docker.io" ? words.replace(/^library\//, "") : words };
}

function resultFilter(filters: ImageFilters): (result: SearchResult) => boolean {
  checkFilters(filters, filterNames);
  const automated = booleanFilter(filters, "is-automated");
  const official = booleanFilter(filters, "is-official");
  const stars = Math.max(0, ...(filters.stars ?? []).map(starCount));
  return (result) =>
    (automated === undefined || result.is_automated === automated) &&
    (official === undefined || result.is_official === official) &&
    result.star_count >= stars;
}

function starCount(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw invalid(`invalid filter 'stars=${text}'`);
  return Number(text);
}

function toResult(value: Record<string, unknown>): SearchResult {
  const { name, description, star_count } = value;
  return {
    star_count: typeof star_count === "number" ? star_count : 0,
    is_official: value.is_official === true,
    name: typeof name === "string" ? name : "",
    is_automated: value.is_automated === true,
    description: typeof description === "string" ? description : "",
  };
}
