import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { Channels } from "../../lib/channels.ts";
import { fs, net } from "../builtin.ts";
import type { Client } from "../client/client.ts";
import { CliError } from "../errors.ts";

/** Agents that the daemon may ask until `close`. */
export interface OfferedAgents {
  session: string;
  close(): void;
}

/** Offers agents to a build: `default`, or `id=socket` or `id=key,key` each. */
export async function offerAgents(client: Client, given: readonly string[]): Promise<OfferedAgents> {
  const session = randomBytes(16).toString("hex");
  const undo: (() => void)[] = [];
  const close = (): void => {
    for (const step of undo.reverse()) step();
  };
  try {
    for (const text of given) {
      const [, id = "", paths = ""] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
      const path = await agentSocket(paths, undo);
      const query = { session, id: id || "default" };
      const { socket } = await client.request("POST", "/build/agent", { query, upgrade: true });
      const channels = new Channels(socket, (stream) => forward(stream, path));
      undo.push(() => channels.close());
    }
  } catch (error) {
    close();
    throw error;
  }
  return { session, close };
}

async function agentSocket(paths: string, undo: (() => void)[]): Promise<string> {
  const list = paths.split(",").filter((path) => path !== "");
  const [first] = list;
  if (first === undefined) {
    const path = process.env.SSH_AUTH_SOCK;
    if (!path) throw new CliError("invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set");
    return path;
  }
  const stat = fs.statSync(first, { throwIfNoEntry: false });
  if (!stat) throw new CliError(`failed to open ${first}: no such file or directory`);
  if (!stat.isSocket()) return agentWithKeys(list, undo);
  if (list.length > 1) throw new CliError("only single socket allowed");
  return first;
}

/** An agent of this build's own that holds keys from files; `ssh-add` asks for their passphrases. */
async function agentWithKeys(keys: readonly string[], undo: (() => void)[]): Promise<string> {
  const directory = fs.mkdtempSync(join(tmpdir(), "berth-agent-"));
  undo.push(() => fs.rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "agent");
  const agent = spawn("ssh-agent", ["-D", "-a", path], { stdio: "ignore" });
  undo.push(() => void agent.kill());
  const failed = ended(agent, "ssh-agent");
  failed.catch(() => undefined);
  for (let attempt = 0; !fs.existsSync(path); attempt++) {
    await Promise.race([new Promise((done) => setTimeout(done, 10)), failed]);
    if (attempt > 500) throw new CliError("ssh-agent does not listen");
  }
  const env = { ...process.env, SSH_AUTH_SOCK: path };
  const adding = spawn("ssh-add", ["-q", ...keys], { stdio: ["inherit", "ignore", "inherit"], env });
  const code = await ended(adding, "ssh-add");
  if (code !== 0) throw new CliError(`ssh-add could not add ${keys.join(", ")}`);
  return path;
}

const ended = (child: ChildProcess, name: string): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.on("error", () => reject(new CliError(`${name} is not installed (openssh-client)`)));
    child.on("exit", (code) => resolve(code));
  });

/** SSH_AGENTC_REQUEST_IDENTITIES and SSH_AGENTC_SIGN_REQUEST: what a build may ask. */
const allowed = new Set([11, 13]);
/** SSH_AGENT_FAILURE. */
const refusal = Buffer.from([0, 0, 0, 1, 5]);
const largest = 256 * 1024;

/** Lets a stream list the keys of an agent and have it sign, but change nothing. */
function forward(stream: Duplex, path: string): void {
  const agent = net.connect(path);
  let rest: Buffer = Buffer.alloc(0);
  agent.on("error", () => stream.destroy());
  agent.on("end", () => stream.end());
  agent.on("data", (data: Buffer) => stream.write(data));
  stream.on("close", () => agent.destroy());
  stream.on("end", () => agent.end());
  stream.on("data", (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= 5) {
      const length = rest.readUInt32BE(0);
      if (length === 0 || length > largest) return void stream.destroy();
      if (rest.length < 4 + length) return;
      const message = rest.subarray(0, 4 + length);
      rest = rest.subarray(4 + length);
      if (allowed.has(message[4] ?? 0)) agent.write(message);
      else stream.write(refusal);
    }
  });
}
