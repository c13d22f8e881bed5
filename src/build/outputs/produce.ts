import type { Readable } from "node:stream";
import type { Workshop } from "../../engine/engine.ts";
import { formatPlatform } from "../../image/platform.ts";
import { parseReference } from "../../image/reference.ts";
import type { Images } from "../../image/types.ts";
import { invalid } from "../../lib/errors.ts";
import { isOn } from "../build-args.ts";
import { cacheImage, type StepRecord } from "../cache-records.ts";
import type { BuiltImage } from "../running-build.ts";
import type { BuildRequest, BuildResult, StepInfo } from "../types.ts";
import { filesArchive } from "./files.ts";
import type { BuildOutput } from "./output.ts";

export interface Production {
  request: BuildRequest;
  workshop: Workshop;
  registry: Pick<Images, "push">;
  signal: AbortSignal | undefined;
}

/** An image for one platform, and what it was built from. */
export interface Product extends BuiltImage {
  provenance: object;
  outcomes(all: boolean): StepRecord[];
}

/** An output with what it takes, as a step that is shown. */
interface PlannedOutput {
  output: BuildOutput;
  /** Its place among those that were asked for. */
  place: number;
  /** Null for what takes no time. */
  step: StepInfo | null;
}

/** The outputs of a build as steps after those of the Dockerfile. */
export function planOutputs(request: BuildRequest, steps: number): PlannedOutput[] {
  const wanted = request.outputs ?? [];
  // A cache is no result.
  const outputs = wanted.some(({ kind }) => kind !== "cache") ? wanted : [...wanted, defaultOutput];
  let number = steps;
  return outputs.map((output, place) => {
    const text = textOf(output, request);
    return { output, place, step: text === "" ? null : { number: ++number, stage: "output", text } };
  });
}

const defaultOutput: BuildOutput = { kind: "image", names: [], push: false };

function textOf(output: BuildOutput, request: BuildRequest): string {
  switch (output.kind) {
    case "image":
      return output.push ? `push ${namesOf(output, request).join(" ")}` : "";
    case "files":
      return "write the files";
    case "cache":
      return output.to === "archive" ? "write the cache" : `push the cache to ${output.to.ref}`;
    case "layout":
      return output.docker ? "write an archive for docker load" : "write an OCI image layout";
  }
}

const namesOf = (output: { names: readonly string[] }, { tags = [] }: BuildRequest): readonly string[] =>
  output.names.length > 0 ? output.names : tags;

/** Makes all that was asked for of the result. */
export async function produce(
  production: Production,
  images: readonly Product[],
  outputs: readonly PlannedOutput[],
): Promise<BuildResult> {
  const { request, workshop } = production;
  const configs = images.map(({ document }) => Buffer.from(JSON.stringify(document)));
  const imageId = workshop.images.idOf(configs[0] ?? Buffer.alloc(0));
  const provenance = Object.fromEntries(
    images.map((image) => [formatPlatform(image.document), image.provenance]),
  );
  const result: Omit<BuildResult, "digest" | "names"> & { digest?: string; names: string[] } = {
    imageId,
    names: [],
    provenance,
  };
  for (const { output, place, step } of outputs) {
    production.signal?.throwIfAborted();
    if (step) request.onEvent?.({ kind: "begin", step });
    const made = await make(production, images, configs, { output, place, step });
    result.names.push(...(made.names ?? []));
    if (made.digest !== undefined) result.digest = made.digest;
    if (step) request.onEvent?.({ kind: "end", step, cached: false });
  }
  return result;
}

async function make(
  production: Production,
  images: readonly Product[],
  configs: readonly Buffer[],
  { output, place, step }: PlannedOutput,
): Promise<{ names?: string[]; digest?: string }> {
  const { request, workshop } = production;
  switch (output.kind) {
    case "image":
      return keepImage(production, images, output, step);
    case "files": {
      const several = images.length > 1 || isOn(request.buildArgs?.BUILDKIT_MULTI_PLATFORM);
      const below = ({ document }: BuiltImage): string =>
        several ? formatPlatform(document).replaceAll("/", "_") : "";
      const directories = workshop.images.directories.bind(workshop.images);
      const parts = images.map((image) => ({ layers: image.layers, below: below(image) }));
      await deliver(request, place, filesArchive(workshop.files, directories, parts));
      return {};
    }
    case "cache":
      await giveCache(production, images, { output, place, step });
      return {};
    case "layout": {
      const { digest, archive } = await workshop.images.layout(
        images.map(({ document, layers, provenance }, index) => ({
          document,
          layers,
          config: configs[index] ?? Buffer.alloc(0),
          ...(request.provenance ? { provenance } : {}),
        })),
        { ...output, names: namesOf(output, request), annotations: request.annotations ?? [] },
      );
      await deliver(request, place, archive);
      return { digest };
    }
  }
}

/** Outcomes of steps, as an image of their layers. */
async function giveCache(
  { request, workshop, signal }: Production,
  images: readonly Product[],
  { output, place, step }: { output: BuildOutput & { kind: "cache" }; place: number; step: StepInfo | null },
): Promise<void> {
  const [first] = images;
  if (!first) return;
  const records = images.flatMap((image) => image.outcomes(output.all));
  const { document, layers } = cacheImage(first.document, records);
  const { to } = output;
  if (to === "archive") {
    const config = Buffer.from(JSON.stringify(document));
    const options = { names: [], compression: "gzip", annotations: [], docker: false } as const;
    const { archive } = await workshop.images.layout([{ document, config, layers }], options);
    return deliver(request, place, archive);
  }
  await workshop.images.pushAs(to.ref, document, layers, {
    credentials: request.credentials?.(parseReference(to.ref).domain),
    onProgress: (progress) => step && request.onEvent?.({ kind: "pull", step, progress }),
    signal,
  });
}

async function deliver({ deliver }: BuildRequest, place: number, archive: Readable): Promise<void> {
  if (!deliver) {
    archive.destroy();
    throw invalid("this client takes no files of a build: only an image in the store can be its output");
  }
  try {
    await deliver(place, archive);
  } finally {
    archive.destroy();
  }
}

async function keepImage(
  { request, workshop, registry, signal }: Production,
  images: readonly Product[],
  output: BuildOutput & { kind: "image" },
  step: StepInfo | null,
): Promise<{ names: string[]; digest?: string }> {
  const wanted = namesOf(output, request);
  if (output.push && wanted.length === 0) throw invalid("an image needs a name to be pushed");
  const { annotations = [] } = request;
  const attached = request.provenance !== undefined;
  const ids = images.map(({ document, layers, provenance }) =>
    workshop.images.add(document, layers, { annotations, provenance, attached }),
  );
  const [first = ""] = ids;
  const names = wanted.map((name) => workshop.images.tag(first, name, ids));
  if (!output.push) return { names };
  let digest: string | undefined;
  for (const name of names) {
    await registry.push(name, {
      credentials: request.credentials?.(parseReference(name).domain),
      onProgress: (progress) => {
        digest = digestIn(progress.aux) ?? digest;
        if (step) request.onEvent?.({ kind: "pull", step, progress });
      },
      signal,
    });
  }
  return digest === undefined ? { names } : { names, digest };
}

/** What a push says at its end. */
function digestIn(aux: unknown): string | undefined {
  if (typeof aux !== "object" || aux === null || !("Digest" in aux)) return undefined;
  return typeof aux.Digest === "string" ? aux.Digest : undefined;
}
