import { type Client, text } from "../client/client.ts";
import { between, defineCommand } from "../command.ts";
import { authHeader } from "../credentials.ts";
import { indentJson } from "../format/json.ts";
import { canonicalReference } from "../format/reference.ts";
import { out } from "../io/output.ts";

interface Platform {
  architecture: string;
  os: string;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: Platform;
}

/** A manifest and what is known of it, with the keys of `docker manifest inspect --verbose`. */
interface Detailed {
  Ref: string;
  Descriptor: Descriptor;
  Raw: string;
  SchemaV2Manifest?: unknown;
  OCIManifest?: unknown;
}

/** Shows what a registry has under a name. The engine asks, so that its settings of registries hold. */
export const command = defineCommand({
  usage: "[OPTIONS] MANIFEST",
  summary: "Show a manifest, or an index of them, of a registry",
  flags: {
    insecure: { type: "bool", hidden: true, help: "Accepted for compatibility: registries.json says it" },
    verbose: { type: "bool", short: "v", help: "Show platforms and the bytes of manifests too" },
  },
  arity: between(1, 2),
  completes: "image",
  async run(flags, { args, client }) {
    const name = canonicalReference(args.at(-1) ?? "");
    const top = await fetchManifest(client, name);
    const { manifests } = JSON.parse(top.body) as { manifests?: Descriptor[] };
    if (!flags.verbose) {
      out(`${indentJson(top.body, manifests ? "   " : "\t")}\n`);
      return 0;
    }
    const shown = manifests
      ? await Promise.all(manifests.map((descriptor) => partOf(client, name, descriptor)))
      : await whole(client, name, top);
    out(`${indentJson(JSON.stringify(shown), "\t")}\n`);
    return 0;
  },
});

interface Fetched {
  mediaType: string;
  digest: string;
  body: string;
}

async function fetchManifest(client: Client, name: string): Promise<Fetched> {
  const { headers, body } = await client.request("GET", `/berth/manifests/${encodeURIComponent(name)}`, {
    headers: await authHeader(name),
  });
  return {
    mediaType: headers["content-type"] ?? "",
    digest: headers["docker-content-digest"] ?? "",
    body: await text(body),
  };
}

async function whole(client: Client, name: string, top: Fetched): Promise<Detailed> {
  const { Platforms } = await client.json<{ Platforms: Platform[] }>(
    "GET",
    `/distribution/${encodeURIComponent(name)}/json`,
    { headers: await authHeader(name) },
  );
  return detailed(name, top, Platforms[0]);
}

/** One of the manifests of an index. */
async function partOf(client: Client, name: string, { digest, platform }: Descriptor): Promise<Detailed> {
  const repository = name.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
  const part = await fetchManifest(client, `${repository}@${digest}`);
  return detailed(`${name.replace(/@.*$/, "")}@${digest}`, part, platform);
}

function detailed(name: string, { mediaType, digest, body }: Fetched, platform?: Platform): Detailed {
  const key = mediaType.startsWith("application/vnd.docker.") ? "SchemaV2Manifest" : "OCIManifest";
  const size = Buffer.byteLength(body);
  return {
    Ref: name,
    Descriptor: { mediaType, digest, size, ...(platform ? { platform } : {}) },
    Raw: Buffer.from(body).toString("base64"),
    [key]: JSON.parse(body),
  };
}
