import { createHash, randomUUID } from "node:crypto";
import type { Material } from "../../image/building.ts";
import { formatPlatform, hostPlatform } from "../../image/platform.ts";
import type { BuildRequest } from "../types.ts";

/** What an image was built from, as it is found out while it is built. */
export class Materials {
  readonly #named = new Map<string, Material>();
  readonly #context = new Set<string>();

  add(material: Material): void {
    this.#named.set(material.uri, material);
  }

  /** Files of the context, by the digest of what is copied of them. */
  addFiles(digest: string): void {
    this.#context.add(digest);
  }

  list(): object[] {
    const named = [...this.#named.values()].sort((a, b) => (a.uri < b.uri ? -1 : 1));
    if (this.#context.size === 0) return named;
    const sha256 = createHash("sha256")
      .update([...this.#context].sort().join("\n"))
      .digest("hex");
    return [...named, { name: "context", digest: { sha256 } }];
  }
}

const secretName = /secret|token|passw(or)?d|credential|api[_-]?key|private[_-]?key|(^|_)auth(_|$)/i;

/** An SLSA predicate (https://slsa.dev/spec/v1.0/provenance), without anything that should stay secret. */
export function provenanceOf(
  request: BuildRequest,
  built: { materials: Materials; consumed: ReadonlySet<string>; begun: number },
  epoch: number | undefined,
): object {
  const { target, platform, network, labels } = request;
  const sha256 = createHash("sha256").update(request.dockerfile).digest("hex");
  const args = argumentsOf(request, built.consumed);
  const full = request.provenance === "max";
  return {
    buildDefinition: {
      buildType: "urn:berth:dockerfile:v1",
      externalParameters: {
        configSource: { path: request.dockerfileName ?? "Dockerfile", digest: { sha256 } },
        request: {
          ...(target ? { target } : {}),
          platform: platform ? platform : formatPlatform(hostPlatform),
          ...(network ? { network } : {}),
          ...(Object.keys(args).length > 0 ? { args } : {}),
          ...(labels && Object.keys(labels).length > 0 ? { labels } : {}),
        },
      },
      internalParameters: {
        builderPlatform: formatPlatform(hostPlatform),
        ...(full ? { dockerfile: request.dockerfile } : {}),
      },
      resolvedDependencies: built.materials.list(),
    },
    runDetails: {
      builder: { id: "" },
      // A build that is to be the same every time does not say when it was.
      ...(epoch === undefined
        ? {
            metadata: {
              invocationId: randomUUID(),
              startedOn: new Date(built.begun).toISOString(),
              finishedOn: new Date().toISOString(),
            },
          }
        : {}),
    },
  };
}

/** The arguments that the Dockerfile asked for; what is called a secret has no value here. */
function argumentsOf(
  { buildArgs = {} }: BuildRequest,
  consumed: ReadonlySet<string>,
): Record<string, string> {
  const args: Record<string, string> = {};
  for (const name of [...consumed].sort()) {
    const value = buildArgs[name];
    if (value === undefined) continue;
    args[name] = secretName.test(name) ? "(not shown)" : value.replace(/(:\/\/)[^/@\s]+@/g, "$1");
  }
  return args;
}
