import { invalid } from "../../lib/errors.ts";
import { formatPlatform, parsePlatform } from "../platform.ts";
import type { Platform } from "../types.ts";

const scopes = ["manifest", "index", "manifest-descriptor", "index-descriptor"] as const;

/** What an annotation is of. */
export type AnnotationScope = (typeof scopes)[number];

/** A word about an image, for those who read its manifest. */
export interface Annotation {
  scope: AnnotationScope;
  /** Only of the image for this platform. */
  platform?: string;
  name: string;
  value: string;
}

/**
 * Parses `[TYPE,…[PLATFORM]:]name=value`, where TYPE is manifest, index, manifest-descriptor or
 * index-descriptor and PLATFORM is in brackets. Throws INVALID_PARAMETER.
 */
export function parseAnnotations(text: string): Annotation[] {
  const [, prefix, rest = ""] =
    /^(?:([a-z-]+(?:\[[^\]]*\])?(?:,[a-z-]+(?:\[[^\]]*\])?)*):)?(.*)$/s.exec(text) ?? [];
  const equals = rest.indexOf("=");
  if (equals < 1) throw invalid(`invalid annotation ${JSON.stringify(text)}: must be name=value`);
  const name = rest.slice(0, equals);
  const value = rest.slice(equals + 1);
  return (prefix ?? "manifest").split(",").map((part) => {
    const [, type = "", platform] = /^([a-z-]+)(?:\[([^\]]*)\])?$/.exec(part) ?? [];
    const scope = scopes.find((known) => known === type);
    if (!scope) throw invalid(`unknown annotation type ${JSON.stringify(type)}: one of ${scopes.join(", ")}`);
    const only = platform === undefined ? {} : { platform: formatPlatform(parsePlatform(platform)) };
    return { scope, ...only, name, value };
  });
}

/** The annotations of one scope, as a manifest has them; undefined for none. */
export function annotationsOf(
  all: readonly Annotation[],
  scope: AnnotationScope,
  platform?: Platform,
): Record<string, string> | undefined {
  const wanted = platform && formatPlatform(platform);
  const found = all.filter(
    (one) => one.scope === scope && (one.platform === undefined || one.platform === wanted),
  );
  if (found.length === 0) return undefined;
  return Object.fromEntries(found.map(({ name, value }) => [name, value]).sort());
}
