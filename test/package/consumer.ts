// What a user of the library writes, in a project of their own: a container's life without a daemon.
import { BerthError, Engine } from "berth";

const [dataRoot = "", execRoot = ""] = process.argv.slice(2);
const engine = await Engine.open({ dataRoot, execRoot });

const refusal: unknown = await Engine.open({ dataRoot, execRoot }).catch((error: unknown) => error);
console.log("second owner:", refusal instanceof BerthError ? refusal.code : refusal);

const { Id } = await engine.containers.create(
  {
    Image: "hello",
    Hostname: "library",
    HostConfig: { NetworkMode: "none", Memory: 64 * 1024 * 1024 },
  },
  { name: "from-library" },
);
const attaching = engine.containers.attach(Id, { stdout: true, stream: true });
await engine.containers.start(Id);
for await (const { data } of (await attaching).output) process.stdout.write(data);
const { done } = await engine.containers.wait(Id);
console.log("exit code:", (await done).StatusCode);

const [summary] = await engine.containers.list({ all: true });
console.log("listed:", summary?.Names?.[0], summary?.State);
await engine.containers.remove(Id);
console.log("left:", (await engine.containers.list({ all: true })).length);
await engine.close();
