import assert from "node:assert/strict";
import { test } from "node:test";
import { inGoOrder } from "./go-order.ts";

test("maps are sorted by their keys, the host configuration by its type, the rest stays", () => {
  const made = {
    Name: "/x",
    HostConfig: {
      Init: true,
      LogConfig: { Type: "json-file", Config: { "max-size": "1m", "max-file": "2" } },
      Memory: 1,
      Tmpfs: { "/b": "", "/a": "" },
      Binds: null,
    },
    State: { Health: { Log: [{ Start: new Date(0) }] } },
    Config: { Labels: { z: "1", a: "2", é: "3" }, Env: ["B=1", "A=2"] },
  };
  assert.equal(
    JSON.stringify(inGoOrder(made)),
    '{"Name":"/x","HostConfig":{"Binds":null,"LogConfig":{"Type":"json-file","Config":{"max-file":"2","max-size":"1m"}},' +
      '"Tmpfs":{"/a":"","/b":""},"Memory":1,"Init":true},' +
      '"State":{"Health":{"Log":[{"Start":"1970-01-01T00:00:00.000Z"}]}},"Config":{"Labels":{"a":"2","z":"1","é":"3"},"Env":["B=1","A=2"]}}',
  );
});
