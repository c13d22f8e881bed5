import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostConfig } from "@docker/node-sdk";
import type { MountRecord } from "../record.ts";
import { wantedMounts } from "./mounts.ts";

const none = (): MountRecord[] => [];
const wanted = (hostConfig: HostConfig, volumes: string[] = [], mountsOf: typeof none = none) =>
  wantedMounts(hostConfig, { Volumes: Object.fromEntries(volumes.map((path) => [path, {}])) }, mountsOf);

test("-v is a bind for a path, a volume for a name, an anonymous volume alone", () => {
  const [bind, named, anonymous] = wanted({ Binds: ["/src/:/a/../b:ro,Z", "name:/c:nocopy", "/d"] });
  assert.deepEqual(bind?.record, {
    Type: "bind",
    Source: "/src",
    Destination: "/b",
    Mode: "ro,Z",
    RW: false,
    Propagation: "rprivate",
    createSource: true,
  });
  assert.deepEqual([named?.record.Name, named?.record.Mode, named?.copyUp], ["name", "nocopy", false]);
  assert.deepEqual(
    [anonymous?.record.anonymous, anonymous?.record.Mode, anonymous?.copyUp],
    [true, "z", true],
  );
});

test("--mount bind options", () => {
  const [shallow, partial] = wanted({
    Mounts: [
      { Type: "bind", Source: "/", Target: "/a", BindOptions: { NonRecursive: true, Propagation: "shared" } },
      {
        Type: "bind",
        Source: "/",
        Target: "/b",
        ReadOnly: true,
        BindOptions: { ReadOnlyNonRecursive: true },
      },
    ],
  });
  assert.deepEqual([shallow?.record.options, shallow?.record.Propagation], [["bind"], "shared"]);
  assert.deepEqual([partial?.record.options, partial?.record.RW], [["rbind", "norro"], false]);
});

test("an image's VOLUMEs give way to everything at their place", () => {
  const hostConfig = { Binds: ["name:/one/"], Tmpfs: { "/two": "" } };
  const found = wanted(hostConfig, ["/one", "/two/", "/three"]).map(({ record }) => record.Destination);
  assert.deepEqual(found, ["/one", "/three"]);
});

test("another container's mounts are narrowed, and give way to one's own", () => {
  const other: MountRecord[] = [
    { Type: "volume", Name: "v", Source: "/v", Destination: "/v", RW: true, Mode: "z", anonymous: true },
    { Type: "bind", Source: "/w", Destination: "/w", RW: true, Mode: "" },
  ];
  const found = wanted({ VolumesFrom: ["c:ro"], Binds: ["/own:/w"] }, ["/v"], () => other);
  assert.deepEqual(
    found.map(({ record }) => [record.Destination, record.Source, record.RW, record.Mode]),
    [
      ["/v", "/v", false, "ro"],
      ["/w", "/own", true, ""],
    ],
  );
  assert.deepEqual([found[0]?.volume, found[0]?.copyUp], [{ name: "v" }, undefined]);
});

test("a place may be taken once", () => {
  assert.throws(() => wanted({ Binds: ["/a:/x", "/b:/x/"] }), /^BerthError: Duplicate mount point: \/x$/);
  assert.throws(() => wanted({ Binds: ["/a:/x"], Tmpfs: { "/x/": "" } }), /Duplicate mount point: \/x/);
});
