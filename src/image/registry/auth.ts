import { BerthError } from "../../lib/errors.ts";
import { parseObject } from "../document.ts";
import type { Credentials } from "../types.ts";
import { type HttpAnswer, readBody, sendFollowing } from "./http.ts";

export interface Challenge {
  scheme: "basic" | "bearer";
  realm?: string;
  service?: string;
  scope?: string;
}

/** Parses WWW-Authenticate (RFC 9110, 11.6.1); undefined for schemes that are not known. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const [, scheme = "", rest = ""] = /^\s*([A-Za-z]+)\s*(.*)$/s.exec(header ?? "") ?? [];
  const kind = scheme.toLowerCase();
  if (kind !== "basic" && kind !== "bearer") return undefined;
  const parameters: Record<string, string> = Object.create(null);
  for (const [, key = "", quoted, token] of rest.matchAll(
    /([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g,
  )) {
    parameters[key.toLowerCase()] = quoted?.replace(/\\(.)/g, "$1") ?? token ?? "";
  }
  const { realm, service, scope } = parameters;
  return { scheme: kind, realm, service, scope };
}

const basic = ({ username = "", password = "" }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** A token is asked for again this long before it ends. Milliseconds. */
const margin = 10_000;
/** How long a token lasts that does not say, by the token specification. Seconds. */
const defaultLife = 60;

interface Token {
  value: string;
  until: number;
}

/** Answers challenges with one client's credentials; keeps tokens while they last. */
export class Authorizer {
  readonly #credentials: Credentials;
  readonly #tokens = new Map<string, Token>();

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** The header for a request in `scope` that may be sent without being asked. */
  known(scope: string): string | undefined {
    if (this.#credentials.registryToken) return `Bearer ${this.#credentials.registryToken}`;
    const token = this.#tokens.get(scope);
    return token && token.until > Date.now() ? token.value : undefined;
  }

  /** The header that meets a challenge. Rejects with UNAUTHORIZED when there is none. */
  async answer(challenged: HttpAnswer, scope: string): Promise<string> {
    const challenge = parseChallenge(challenged.headers["www-authenticate"]);
    if (challenge?.scheme === "bearer" && challenge.realm)
      return this.#token(challenge, challenged.url, scope);
    if (!this.#credentials.username) {
      // Not UNAUTHORIZED: the docker command line would ask for a password and wait.
      throw new BerthError("SYSTEM", `Head "${challenged.url.href}": no basic auth credentials`);
    }
    const value = basic(this.#credentials);
    this.#tokens.set(scope, { value, until: Number.POSITIVE_INFINITY });
    return value;
  }

  async #token(challenge: Challenge, from: URL, scope: string): Promise<string> {
    const { realm = "", service } = challenge;
    if (!URL.canParse(realm))
      throw new BerthError("UNAUTHORIZED", `${from.host} sends to ${realm}, which is no URL`);
    const url = new URL(realm);
    if (url.protocol !== "https:" && (url.protocol !== "http:" || from.protocol !== "http:")) {
      throw new BerthError(
        "UNAUTHORIZED",
        `${from.host} wants credentials sent to ${url.protocol}//${url.host}, which is not encrypted`,
      );
    }
    const answer = this.#credentials.identityToken
      ? await this.#refresh(url, service, scope)
      : await this.#get(url, service, scope);
    const text = await readBody(answer);
    if (answer.status !== 200) throw refused(answer, text);
    const token = parseToken(text);
    this.#tokens.set(scope, token);
    return token.value;
  }

  #get(url: URL, service: string | undefined, scope: string): Promise<HttpAnswer> {
    if (service) url.searchParams.set("service", service);
    for (const part of scope.split(" ").filter(Boolean)) url.searchParams.append("scope", part);
    if (this.#credentials.username) url.searchParams.set("account", this.#credentials.username);
    const headers = this.#credentials.username ? { Authorization: basic(this.#credentials) } : undefined;
    return sendFollowing({ method: "GET", url, headers });
  }

  #refresh(url: URL, service: string | undefined, scope: string): Promise<HttpAnswer> {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: this.#credentials.identityToken ?? "",
      service: service ?? "",
      scope,
      client_id: "berth",
    });
    const body = Buffer.from(form.toString());
    const headers = {
      "Content-Type": "application/x-www-form-urlencoded",
      "Content-Length": String(body.length),
    };
    return sendFollowing({ method: "POST", url, headers, body });
  }
}

function parseToken(text: Buffer): Token {
  const value = parseObject(text, "token");
  const token = value.token ?? value.access_token;
  if (typeof token !== "string" || token === "") {
    throw new BerthError("UNAUTHORIZED", "authorization server did not include a token in the response");
  }
  const life = typeof value.expires_in === "number" ? value.expires_in : defaultLife;
  return { value: `Bearer ${token}`, until: Date.now() + Math.max(life * 1000 - margin, 1000) };
}

function refused(answer: HttpAnswer, text: Buffer): BerthError {
  if (answer.status === 401 || answer.status === 403) {
    return new BerthError("UNAUTHORIZED", "unauthorized: incorrect username or password");
  }
  const words = text.toString("utf8", 0, 200).trim();
  return new BerthError(
    "SYSTEM",
    `the authorization server ${answer.url.host} answered ${answer.status}: ${words}`,
  );
}
