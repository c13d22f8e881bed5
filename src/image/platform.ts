import { invalid } from "../lib/errors.ts";
import type { Platform } from "./types.ts";

const architectures: Record<string, string> = {
  x64: "amd64",
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  armhf: "arm",
  armel: "arm",
  i386: "386",
  i486: "386",
  i586: "386",
  i686: "386",
};

/** The platform that this machine runs, in the names of the OCI image specification. */
export const hostPlatform: Platform = normalize({ os: "linux", architecture: process.arch });

function normalize(platform: Platform): Platform {
  const given = platform.architecture.toLowerCase();
  const architecture = architectures[given] ?? given;
  let variant = platform.variant?.toLowerCase() || undefined;
  if (given === "armhf") variant = "v7";
  if (given === "armel") variant = "v6";
  if (architecture === "arm" && variant === undefined) variant = "v7";
  // v8 is the only one there is, and goes without saying.
  if (architecture === "arm64" && (variant === "8" || variant === "v8")) variant = undefined;
  if (architecture === "amd64" && variant === "v1") variant = undefined;
  if (variant !== undefined && /^[0-9]/.test(variant)) variant = `v${variant}`;
  return { os: platform.os.toLowerCase(), architecture, ...(variant === undefined ? {} : { variant }) };
}

/** Parses `os/arch/variant`, `os/arch`, `os` or `arch`. Throws INVALID_PARAMETER. */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) {
    throw invalid(`${JSON.stringify(text)}: cannot parse platform specifier: invalid argument`);
  }
  const [first = "", architecture, variant] = parts;
  if (architecture !== undefined) return normalize({ os: first, architecture, variant });
  if (["linux", "windows", "darwin", "freebsd"].includes(first.toLowerCase())) {
    return normalize({ ...hostPlatform, os: first });
  }
  return normalize({ os: "linux", architecture: first });
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}

/**
 * How well `have` serves a wish for `want`: 0 is perfect, larger is worse, null is not at all. An arm
 * processor also runs what was made for its older variants.
 */
export function platformDistance(want: Platform, have: Partial<Platform>): number | null {
  if (have.os === undefined || have.architecture === undefined) return null;
  const wanted = normalize(want);
  const offered = normalize({ ...have, os: have.os, architecture: have.architecture });
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return null;
  if (offered.variant === wanted.variant) return 0;
  const level = (variant: string | undefined): number => Number(variant?.slice(1) ?? 0);
  const distance = level(wanted.variant) - level(offered.variant);
  return distance >= 0 ? distance : null;
}

/** The best of several for a platform, or undefined. */
export function choosePlatform<T extends { platform?: Partial<Platform> }>(
  want: Platform,
  offers: T[],
): T | undefined {
  let best: { offer: T; distance: number } | undefined;
  for (const offer of offers) {
    const distance = offer.platform ? platformDistance(want, offer.platform) : null;
    if (distance !== null && (!best || distance < best.distance)) best = { offer, distance };
  }
  return best?.offer;
}
