import assert from "node:assert/strict";
import { test } from "node:test";
import { createRequest } from "./create-request.ts";
import { decode } from "./shape.ts";

const read = (json: string) => decode(createRequest, JSON.parse(json));

test("known fields are read whatever their case, others are left out", () => {
  const json =
    '{"image":"i","CMD":"true","Nonsense":1,"HostConfig":{"memory":5,"Binds":null,"CapAdd":"ALL"}}';
  assert.deepEqual(read(json), { Image: "i", Cmd: ["true"], HostConfig: { Memory: 5, CapAdd: ["ALL"] } });
});

test("null is the zero value", () => {
  const json = '{"Env":[null],"Labels":{"a":null},"NetworkingConfig":{"EndpointsConfig":{"n":null}}}';
  assert.deepEqual(read(json), {
    Env: [""],
    Labels: { a: "" },
    NetworkingConfig: { EndpointsConfig: { n: {} } },
  });
  assert.deepEqual(read("null"), {});
});

test("a key named __proto__ is a key", () => {
  const labels = read('{"Labels":{"__proto__":"x"}}').Labels ?? {};
  assert.deepEqual(Object.keys(labels), ["__proto__"]);
});

test("wrong types are told in Go's words", () => {
  const wrong: [string, RegExp][] = [
    ['{"Image":5}', /cannot unmarshal number into Go struct field CreateRequest\.Image of type string$/],
    [
      '{"HostConfig":{"Memory":"x"}}',
      /string into Go struct field HostConfig\.HostConfig\.Memory of type int64$/,
    ],
    ['{"HostConfig":{"Memory":1.5}}', /number 1\.5 into .* of type int64$/],
    ['{"HostConfig":{"Binds":"x"}}', /string into .*HostConfig\.Binds of type \[\]string$/],
    [
      '{"HostConfig":{"Mounts":[{"Target":[]}]}}',
      /array into .*Mount\.HostConfig\.Mounts\.Target of type string$/,
    ],
    ['{"Labels":{"a":true}}', /bool into .*CreateRequest\.Labels of type string$/],
    ["[]", /array into Go value of type CreateRequest$/],
  ];
  for (const [json, message] of wrong) assert.throws(() => read(json), message);
});
