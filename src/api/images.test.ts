import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImageInspect, ImageSummary } from "@docker/node-sdk";
import { conflict, invalid } from "../lib/errors.ts";
import { fakeServices, serveForTest } from "./services.fake.ts";

const nameless: ImageSummary = {
  Id: "sha256:1",
  ParentId: "",
  RepoTags: [],
  RepoDigests: [],
  Created: 1,
  Size: 5,
  SharedSize: -1,
  Labels: {},
  Containers: -1,
};

test("older clients get the fields they know", async () => {
  const inspect = async (): Promise<ImageInspect> => ({
    Id: "sha256:1",
    Size: 5,
    Config: { Cmd: ["sh"], User: "" },
  });
  await using server = await serveForTest(
    fakeServices({ images: { list: async () => [nameless], inspect } }),
  );
  const get = async (path: string) => JSON.parse((await server.fetch("GET", path)).text);
  assert.deepEqual((await get("/v1.42/images/json"))[0].RepoTags, ["<none>:<none>"]);
  assert.deepEqual((await get("/v1.43/images/json"))[0].RepoTags, []);
  assert.equal((await get("/v1.43/images/json"))[0].VirtualSize, 5);
  assert.equal((await get("/v1.44/images/json"))[0].VirtualSize, undefined);
  assert.deepEqual((await get("/v1.50/images/a/b/json")).Config, { Cmd: ["sh"] });
  assert.equal((await get("/v1.49/images/a/b/json")).Config.AttachStdin, false);
});

test("load streams its progress, and its failure when that has begun", async () => {
  await using server = await serveForTest(
    fakeServices({
      images: {
        async load(tar, options) {
          for await (const chunk of tar) options?.onProgress?.({ stream: String(chunk) });
          throw invalid("broken");
        },
      },
    }),
  );
  const answer = await server.fetch("POST", "/images/load?quiet=0", { body: "archive" });
  assert.equal(answer.status, 200);
  assert.deepEqual(
    answer.text
      .trim()
      .split("\r\n")
      .map((line) => JSON.parse(line)),
    [{ stream: "archive" }, { errorDetail: { message: "broken" }, error: "broken" }],
  );
});

test("import answers with the id; what is refused before the first line has a status", async () => {
  await using server = await serveForTest(
    fakeServices({
      images: {
        async import(tar, options) {
          let size = 0;
          for await (const chunk of tar) size += chunk.length;
          if (options?.repo === undefined) throw invalid("no name");
          return `${options.repo}:${options.tag}:${size}:${options.changes?.join()}`;
        },
      },
    }),
  );
  const good = await server.fetch("POST", "/images/create?fromSrc=-&repo=r&tag=t&changes=A&changes=B", {
    body: "12345",
  });
  assert.equal(good.text, '{"status":"r:t:5:A,B"}\r\n');
  const bad = await server.fetch("POST", "/images/create?fromSrc=-", { body: "12345" });
  assert.deepEqual([bad.status, bad.text], [400, '{"message":"no name"}\n']);
});

test("names with slashes; conflicts; nothing deleted is null", async () => {
  const asked: string[] = [];
  await using server = await serveForTest(
    fakeServices({
      images: {
        async tag(ref, repo, tag) {
          asked.push(`${ref} ${repo} ${tag}`);
        },
        async remove(ref) {
          throw conflict(`conflict: ${ref}`);
        },
        prune: async () => ({ SpaceReclaimed: 0 }),
      },
    }),
  );
  assert.equal((await server.fetch("POST", "/images/host:5000/a/b:1/tag?repo=c&tag=d")).status, 201);
  assert.deepEqual(asked, ["host:5000/a/b:1 c d"]);
  const refused = await server.fetch("DELETE", "/images/a/b");
  assert.deepEqual([refused.status, refused.text], [409, '{"message":"conflict: a/b"}\n']);
  assert.equal(
    (await server.fetch("POST", "/images/prune")).text,
    '{"ImagesDeleted":null,"SpaceReclaimed":0}\n',
  );
});
