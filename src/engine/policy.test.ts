import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostConfig } from "@docker/node-sdk";
import { v1Host } from "../runtime/cgroup/testing.ts";
import { checkPolicy } from "./policy.ts";
import { parseSecurityOptions } from "./security-options.ts";

const { support } = v1Host({ blkioWeight: false });

test("names are completed, what cannot be enforced is taken out", () => {
  const config: HostConfig = { CapAdd: ["net_admin"], CapDrop: ["ALL"], BlkioWeight: 300 };
  assert.equal(checkPolicy(config, support).length, 1);
  assert.deepEqual(config, { CapAdd: ["CAP_NET_ADMIN"], CapDrop: ["ALL"], BlkioWeight: 0 });
});

test("what cannot be is refused", () => {
  assert.throws(() => checkPolicy({ CapAdd: ["x"] }, support), { message: /unknown capability: "CAP_X"/ });
  assert.throws(() => checkPolicy({ Memory: 1 }, support), { message: /^Minimum memory limit/ });
  assert.throws(() => checkPolicy({ SecurityOpt: ["foo=bar"] }, support), {
    message: 'invalid --security-opt 2: "foo=bar"',
  });
});

test("security options", () => {
  assert.deepEqual(parseSecurityOptions(null), { noNewPrivileges: false, writableCgroups: false });
  assert.deepEqual(parseSecurityOptions(["no-new-privileges", "seccomp=unconfined", "label=disable"]), {
    noNewPrivileges: true,
    writableCgroups: false,
    seccomp: "unconfined",
  });
  assert.equal(parseSecurityOptions(["no-new-privileges:true"]).noNewPrivileges, true);
  assert.equal(parseSecurityOptions(["no-new-privileges=0"]).noNewPrivileges, false);
  assert.equal(parseSecurityOptions(["writable-cgroups=true"]).writableCgroups, true);
  assert.throws(() => parseSecurityOptions(["foo"]), { message: 'invalid --security-opt 1: "foo"' });
  assert.throws(() => parseSecurityOptions(["no-new-privileges:x"]), {
    message: 'invalid --security-opt 2: "no-new-privileges:x"',
  });
  assert.equal(parseSecurityOptions(['seccomp={"a":1}']).seccomp, '{"a":1}');
});
