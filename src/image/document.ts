import { createHash } from "node:crypto";
import { invalid } from "../lib/errors.ts";
import { isDigest } from "./reference.ts";
import type { ImageDocument, Platform } from "./types.ts";

/** The largest image configuration that is read, in bytes. */
export const maxDocument = 8 * 1024 * 1024;

export const sha256 = (data: Buffer | string): string =>
  `sha256:${createHash("sha256").update(data).digest("hex")}`;

/** The first twelve hex digits, as Docker shows ids. */
export const shortId = (id: string): string => id.replace(/^sha256:/, "").slice(0, 12);

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses JSON that must be an object; throws INVALID_PARAMETER that names `what`. */
export function parseObject(bytes: Buffer, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw invalid(`invalid ${what}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (!isRecord(value)) throw invalid(`invalid ${what}: not a JSON object`);
  return value;
}

/**
 * Parses an OCI image configuration (or Docker's, which is a superset) and checks the parts that Berth
 * relies on. Throws INVALID_PARAMETER.
 */
export function parseDocument(bytes: Buffer): ImageDocument {
  if (bytes.length > maxDocument)
    throw invalid(`invalid image configuration: larger than ${maxDocument} bytes`);
  const value = parseObject(bytes, "image configuration");
  checkDocument(value);
  return value;
}

const text = (value: unknown): boolean => value === undefined || value === null || typeof value === "string";
const texts = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) && value.every((item) => typeof item === "string"));
const record = (value: unknown): boolean => value === undefined || value === null || isRecord(value);

function checkDocument(
  value: Record<string, unknown>,
): asserts value is Record<string, unknown> & ImageDocument {
  const bad = (what: string): never => {
    throw invalid(`invalid image configuration: ${what}`);
  };
  const { rootfs, config, history } = value;
  if (!isRecord(rootfs) || !Array.isArray(rootfs.diff_ids)) return bad("no rootfs.diff_ids");
  for (const id of rootfs.diff_ids)
    if (typeof id !== "string" || !isDigest(id)) bad("a diff id is not a digest");
  if (typeof value.os !== "string") value.os = "linux";
  if (typeof value.architecture !== "string") value.architecture = "";
  for (const key of ["created", "author", "variant", "comment", "docker_version"]) {
    if (!text(value[key])) bad(`${key} is not a string`);
  }
  if (!record(config)) bad("config is not an object");
  if (isRecord(config)) checkConfig(config, bad);
  if (history !== undefined && history !== null && (!Array.isArray(history) || !history.every(isRecord))) {
    bad("history is not a list of objects");
  }
  if (value.history === null) delete value.history;
  if (value.config === null) delete value.config;
}

function checkConfig(config: Record<string, unknown>, bad: (what: string) => never): void {
  for (const key of ["User", "WorkingDir", "StopSignal"])
    if (!text(config[key])) bad(`${key} is not a string`);
  for (const key of ["Env", "Cmd", "Entrypoint", "Shell", "OnBuild"]) {
    if (!texts(config[key])) bad(`${key} is not a list of strings`);
  }
  for (const key of ["Labels", "Volumes", "ExposedPorts", "Healthcheck"]) {
    if (!record(config[key])) bad(`${key} is not an object`);
  }
}

export function platformOf(document: ImageDocument): Platform {
  const { os, architecture, variant } = document;
  return { os, architecture, ...(variant ? { variant } : {}) };
}

/** When the image was made, in seconds since 1970; 0 when it does not say. */
export function createdSeconds(document: ImageDocument): number {
  const milliseconds = Date.parse(document.created ?? "");
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000);
}

/** Whether a value of a configuration says anything. */
export function hasEntries(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === false) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}
