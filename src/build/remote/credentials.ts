import type { Secrets } from "../types.ts";

type Read = (id: string) => Promise<string | undefined>;

const reader =
  (secrets: Secrets | undefined): Read =>
  async (id) =>
    (await secrets?.read(id))?.toString("utf8").trim();

/** What a web server is told of who asks: the secrets HTTP_AUTH_HEADER_<host> and HTTP_AUTH_TOKEN_<host>. */
export async function webAuthorization(
  secrets: Secrets | undefined,
  url: string,
): Promise<string | undefined> {
  const read = reader(secrets);
  for (const host of hostsOf(url)) {
    const header = await read(`HTTP_AUTH_HEADER_${host}`);
    if (header !== undefined) return header;
    const token = await read(`HTTP_AUTH_TOKEN_${host}`);
    if (token !== undefined) return `Bearer ${token}`;
  }
  return undefined;
}

/**
 * The same for a repository: the secrets GIT_AUTH_TOKEN and GIT_AUTH_HEADER, with `.<host>` for one host alone.
 * The header is all of it, or the scheme that the token is for; by itself a token goes as the password that
 * the usual servers take one for.
 */
export async function gitAuthorization(
  secrets: Secrets | undefined,
  remote: string,
): Promise<string | undefined> {
  const read = reader(secrets);
  for (const suffix of [...hostsOf(remote).map((host) => `.${host}`), ""]) {
    const header = await read(`GIT_AUTH_HEADER${suffix}`);
    const token = await read(`GIT_AUTH_TOKEN${suffix}`);
    if (header !== undefined && !/^(basic|bearer)$/i.test(header)) return header;
    if (token === undefined) continue;
    if (header?.toLowerCase() === "bearer") return `Bearer ${token}`;
    const pair = token.includes(":") ? token : `x-access-token:${token}`;
    return `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  return undefined;
}

/** With its port, when it is not the usual one, and without. */
function hostsOf(url: string): string[] {
  const { host, hostname } = new URL(url);
  return [...new Set([host, hostname])];
}
