// What registries have, without fetching it: docker search, distribution and manifest inspect.
import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, describe, test } from "node:test";
import { TestDaemon } from "../support/daemon.ts";
import { noDockerd, Peer } from "../support/dockerd.ts";
import { busyboxImage, manifestOf, sha256 } from "../support/images.ts";
import { TestRegistry } from "../support/registry.ts";

const found = [
  {
    name: "tool",
    description: "A tool\nfor everybody who needs a tool of this kind, and more",
    star_count: 3,
  },
  { name: "berth", description: "", star_count: 400, is_official: true },
  { name: "people/tool", description: "Another", star_count: 20, is_automated: true },
].map((result) => ({ is_official: false, is_automated: false, is_trusted: false, ...result }));

const platforms = [
  { architecture: "s390x", os: "linux" },
  { architecture: "arm", os: "linux", variant: "v6" },
];
let registry: TestRegistry;
/** Queries of the search, and who asked. */
const asked: { query: string; user: string }[] = [];
let daemon: TestDaemon;

before(async () => {
  registry = await TestRegistry.start();
  registry.fault = (request, response) => {
    const url = new URL(request.url ?? "/", "http://registry");
    if (url.pathname === "/v1/_ping") response.end("true");
    else if (url.pathname !== "/v1/search") return false;
    else {
      const [, encoded = ""] = (request.headers.authorization ?? "").split(" ");
      asked.push({ query: url.search, user: Buffer.from(encoded, "base64").toString() });
      if (url.searchParams.get("q") === "broken") response.writeHead(418).end("no tea");
      else if (url.searchParams.get("q") === "private" && encoded === "")
        response.writeHead(401, { "WWW-Authenticate": 'Basic realm="index"' }).end();
      else response.end(JSON.stringify({ num_results: found.length, results: found }));
    }
    return true;
  };
  const images = [
    busyboxImage({ architecture: "s390x" }),
    busyboxImage({ architecture: "arm", variant: "v6" }),
  ];
  const parts = images.map((image) => manifestOf(image));
  for (const [i, part] of parts.entries()) registry.add(`team/app:${i}`, part);
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const manifests = parts.map(({ manifest }, i) => ({ ...manifest, platform: platforms[i] }));
  registry.addManifest(
    "team/app:all",
    mediaType,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })),
  );
  registry.add("team/docker:1", manifestOf(busyboxImage(), "gzip", "docker"));
  const artifact = {
    schemaVersion: 2,
    artifactType: "text/x",
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256("{}"), size: 2 },
    layers: [],
    subject: parts[0]?.manifest,
  };
  registry.blobs.set(sha256("{}"), Buffer.from("{}"));
  registry.addManifest(
    "team/app:signature",
    "application/vnd.oci.image.manifest.v1+json",
    Buffer.from(JSON.stringify(artifact)),
  );
  daemon = await TestDaemon.start("look");
});

after(async () => {
  await daemon.end();
  await registry.stop();
});

describe("docker search", () => {
  test("of a registry that the term names, with all options", async () => {
    const term = `${registry.host}/tool`;
    for (const options of [
      [],
      ["--no-trunc"],
      ["--limit", "7"],
      ["-f", "stars=20"],
      ["-f", "is-official=true"],
      ["-f", "is-official=false", "-f", "stars=1"],
      ["--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}}"],
      ["--format", "json"],
      ["--limit", "101"],
      ["-f", "nonsense=1"],
      ["-f", "stars=many"],
    ]) {
      const args = ["search", ...options, term];
      const [theirs, ours] = [await daemon.docker(args), await daemon.berth(args)];
      assert.deepEqual(ours, theirs, args.join(" "));
    }
    assert.equal(asked[0]?.query, "?q=tool&n=25");
    assert.ok(asked.some(({ query }) => query === "?q=tool&n=7"));
    assert.match(
      await daemon.ok(["search", term]),
      /^NAME .*\ntool .*….*\nberth .*400 .*\[OK\]\npeople\/tool .*20/,
    );
  });

  test("with credentials where they are asked for", async () => {
    const term = `${registry.host}/private`;
    const refused = await daemon.docker(["search", term]);
    assert.equal(refused.code, 1);
    const auth = Buffer.from(JSON.stringify({ username: "me", password: "secret" })).toString("base64url");
    const body = await fetchApi(`/images/search?term=${encodeURIComponent(term)}`, {
      "X-Registry-Auth": auth,
    });
    assert.equal(JSON.parse(body).length, 3);
    assert.equal(asked.at(-1)?.user, "me:secret");
  });

  test("a registry that cannot search says so", async () => {
    const { code, stderr } = await daemon.docker(["search", `${registry.host}/broken`]);
    assert.equal(code, 1);
    assert.match(stderr, /418/);
  });

  test("as dockerd answers", { skip: noDockerd }, async () => {
    const peer = new Peer("look");
    await peer.up();
    try {
      for (const options of [
        [],
        ["-f", "stars=4"],
        ["-f", "is-official=false"],
        ["--limit", "101"],
        ["-f", "x=1"],
      ]) {
        const args = ["search", ...options, `${registry.host}/tool`];
        const [ours, theirs] = [await daemon.docker(args), await peer.docker(args)];
        // Newer ones begin their errors with a small letter.
        assert.deepEqual(
          { ...theirs, stderr: theirs.stderr.replace("Invalid", "invalid") },
          ours,
          args.join(" "),
        );
      }
      const path = `/distribution/${registry.host}/team`;
      // It knows no platform of OCI manifests.
      for (const name of ["app:all/json", "docker:1/json"]) {
        const [ours, theirs] = [
          await fetchApi(`${path}/${name}`),
          await fetchApi(`${path}/${name}`, {}, peer.socket),
        ];
        assert.deepEqual(JSON.parse(ours), JSON.parse(theirs), name);
      }
    } finally {
      await peer.down();
    }
  });
});

describe("distribution and manifest inspect", () => {
  test("an image, an index, and an artifact", async () => {
    const ask = async (name: string) =>
      JSON.parse(await fetchApi(`/distribution/${encodeURIComponent(`${registry.host}/${name}`)}/json`));
    const stored = registry.manifests.get("team/app:all");
    const descriptor = {
      mediaType: stored?.mediaType,
      digest: sha256(stored?.body ?? ""),
      size: stored?.body.length,
    };
    assert.deepEqual(await ask("team/app:all"), { Descriptor: descriptor, Platforms: platforms });
    assert.deepEqual(await ask(`team/app@${descriptor.digest}`), {
      Descriptor: descriptor,
      Platforms: platforms,
    });
    assert.deepEqual((await ask("team/app:1")).Platforms, platforms.slice(1));
    assert.deepEqual((await ask("team/app:signature")).Platforms, []);
    assert.match((await ask("team/app:none")).message, /manifest unknown/);
    assert.match((await ask("team/App")).message, /invalid reference format/);
  });

  test("docker's client, which asks by itself, and ours show the same", async () => {
    for (const name of ["team/app:0", "team/docker:1", "team/app:all"]) {
      for (const more of [[], ["--verbose"]]) {
        const args = ["manifest", "inspect", ...more, `${registry.host}/${name}`];
        const theirs = await daemon.docker([...args, "--insecure"]);
        const ours = await daemon.berth(args);
        assert.deepEqual([ours.code, theirs.code], [0, 0], theirs.stderr + ours.stderr);
        assert.deepEqual(JSON.parse(ours.stdout), JSON.parse(theirs.stdout), args.join(" "));
      }
    }
    const none = await daemon.berth(["manifest", "inspect", `${registry.host}/team/app:none`]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /manifest unknown/);
  });
});

function fetchApi(
  path: string,
  headers: Record<string, string> = {},
  socketPath = daemon.socket,
): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: `/v1.41${path}`, headers }, async (answer) => {
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(part);
      resolve(Buffer.concat(parts).toString());
    }).on("error", reject);
  });
}
