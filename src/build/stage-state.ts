import type { ImageConfig } from "@docker/node-sdk";
import type { Layer } from "../image/layers.ts";
import type { HistoryEntry, ImageDocument } from "../image/types.ts";
import type { Lookup } from "./dockerfile/expand.ts";

export const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Used without being declared, and part of no key and no history. */
export const proxyArguments = new Set(
  ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]),
);

/** The image that all began with: its id, empty for none, and how many layers and entries of the history it has. */
export interface Inherited {
  id: string;
  layers: number;
  history: number;
}

/** A stage under way: the image that it would be now. */
export class StageState {
  /** The image at its beginning, for what a build does not change. */
  readonly origin: Pick<ImageDocument, "architecture" | "os" | "variant" | "os.version" | "os.features">;
  /** Lowest first. */
  readonly layers: Layer[];
  readonly history: HistoryEntry[];
  readonly args = new Map<string, string>();
  config: ImageConfig;
  author: string | undefined;
  /** A CMD of this stage outlives a later ENTRYPOINT. */
  cmdSet = false;
  created: string;
  readonly inherited: Inherited;

  constructor(document: ImageDocument, layers: readonly Layer[], base: string | Inherited) {
    const { architecture, os, variant } = document;
    this.origin = {
      architecture,
      os,
      ...(variant ? { variant } : {}),
      ...(document["os.version"] ? { "os.version": document["os.version"] } : {}),
      ...(document["os.features"] ? { "os.features": document["os.features"] } : {}),
    };
    this.layers = [...layers];
    this.history = [...(document.history ?? [])];
    this.config = structuredClone(document.config ?? {});
    this.author = document.author;
    this.created = document.created ?? "";
    this.inherited =
      typeof base === "string" ? { id: base, layers: layers.length, history: this.history.length } : base;
  }

  get env(): readonly string[] {
    return this.config.Env ?? [];
  }

  get shell(): readonly string[] {
    return this.config.Shell ?? ["/bin/sh", "-c"];
  }

  setEnv(name: string, value: string): void {
    const entry = `${name}=${value}`;
    const env = [...this.env];
    const place = env.findIndex((item) => item.startsWith(`${name}=`));
    if (place < 0) env.push(entry);
    else env[place] = entry;
    this.config.Env = env;
  }

  /** What $name is in an instruction: the environment goes before the arguments. */
  readonly lookup: Lookup = (name) => {
    const entry = this.env.findLast((item) => item.startsWith(`${name}=`));
    return entry === undefined ? this.args.get(name) : entry.slice(name.length + 1);
  };

  /** A path as an instruction means it: below the working directory unless absolute. */
  absolute(path: string): string {
    const base = path.startsWith("/") ? "" : `${this.config.WorkingDir || "/"}/`;
    const parts: string[] = [];
    for (const part of `${base}${path}`.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== "" && part !== ".") parts.push(part);
    }
    return `/${parts.join("/")}`;
  }

  /** Records what a step did. */
  add(layer: Layer | null, createdBy: string, created: string): void {
    if (layer) this.layers.push(layer);
    this.created = created;
    this.history.push({
      created,
      created_by: createdBy,
      ...(this.author ? { author: this.author } : {}),
      ...(layer ? {} : { empty_layer: true }),
    });
  }

  document(): ImageDocument {
    return {
      ...(this.author ? { author: this.author } : {}),
      ...this.origin,
      config: withoutEmpty(this.config),
      created: this.created,
      history: this.history,
      rootfs: { type: "layers", diff_ids: this.layers.map(({ diffId }) => diffId) },
    };
  }
}

function withoutEmpty(config: ImageConfig): ImageConfig {
  return Object.fromEntries(
    Object.entries(config).filter(([, value]) => {
      if (value === null || value === undefined || value === "" || value === false) return false;
      return typeof value !== "object" || Object.keys(value).length > 0;
    }),
  );
}
