import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** Compiles the load tool into a directory; answers the program's path. */
export function makeLoadTool(directory: string): string {
  const program = join(directory, "load");
  execFileSync("cc", ["-O2", "-o", program, join(import.meta.dirname, "load.c")]);
  return program;
}

/** Runs the tool in the network namespace of a process; resolves with the number it prints. */
export async function measureIn(pid: number, program: string, args: string[]): Promise<number> {
  const child = spawn("nsenter", ["--target", String(pid), "--net", program, ...args], { stdio: "pipe" });
  let [out, err] = ["", ""];
  child.stdout.on("data", (part: Buffer) => {
    out += part;
  });
  child.stderr.on("data", (part: Buffer) => {
    err += part;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`load ${args.join(" ")}: ${err || `exit code ${code}`}`);
  return Number(out);
}

/** Serves the tool's clients in the network namespace of a process, until the answer is killed. */
export async function serveIn(pid: number, program: string, port: number): Promise<ChildProcess> {
  const args = ["--target", String(pid), "--net", program, "serve", String(port)];
  const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

export interface VethPair {
  server: number;
  client: number;
  address: string;
  close(): void;
}

/**
 * Network namespaces with nothing but a pair of links between them: the best a container could have. The client's is
 * empty too, or that of a process, with all that its packets meet there; pairs are told apart by their number.
 */
export async function makeVethPair(number: number, of?: number): Promise<VethPair> {
  const own = of === undefined ? [1, 2] : [1];
  const holders = own.map(() => spawn("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" }));
  const [server = 0, client = of ?? 0] = holders.map(({ pid = 0 }) => pid);
  const links = [`bench${number}a`, `bench${number}b`] as const;
  const network = `10.254.${253 - number}`;
  const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
  const inside = (pid: number, ...args: string[]) =>
    execFileSync("nsenter", ["--target", String(pid), "--net", "ip", ...args]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  ip(
    "link",
    "add",
    links[0],
    "netns",
    String(server),
    "type",
    "veth",
    "peer",
    "name",
    links[1],
    "netns",
    String(client),
  );
  for (const [pid, link, last] of [
    [server, links[0], 1],
    [client, links[1], 2],
  ] as const) {
    inside(pid, "addr", "add", `${network}.${last}/30`, "dev", link);
    inside(pid, "link", "set", link, "up");
  }
  const close = (): void => {
    for (const holder of holders) holder.kill();
  };
  return { server, client, address: `${network}.1`, close };
}
