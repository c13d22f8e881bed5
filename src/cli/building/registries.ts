import { findCredentials, registryOf } from "../credentials.ts";

/** The header with the credentials for the registries that a Dockerfile's images and further ones are in. */
export async function registryConfig(
  dockerfile: string,
  further: readonly string[] = [],
): Promise<Record<string, string>> {
  const images = [...dockerfile.matchAll(/^\s*(?:FROM\s+|COPY\s+.*--from=)(?:--\S+\s+)*(\S+)/gim)];
  const names = [...images.map(([, image = ""]) => image), ...further];
  const registries = new Set(names.map(registryOf));
  const entries: [string, object][] = [];
  for (const registry of registries) {
    const found = await findCredentials(registry);
    if (found) entries.push([registry, found]);
  }
  if (entries.length === 0) return {};
  return {
    "X-Registry-Config": Buffer.from(JSON.stringify(Object.fromEntries(entries))).toString("base64url"),
  };
}
