import { dirname, join } from "node:path";
import { fs } from "./builtin.ts";
import { CliError, errorMessage } from "./errors.ts";

/** What a registry is told of who asks. */
export interface Credentials {
  username?: string;
  password?: string;
  /** Instead of a password, from registries that give one. */
  identitytoken?: string;
  serveraddress: string;
}

interface AuthEntry {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
}

/** The part of docker's `config.json` that is about registries; the rest is kept as it is. */
interface ConfigFile {
  auths?: Record<string, AuthEntry>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
}

/** The name under which Docker Hub's credentials are kept. */
export const hub = "https://index.docker.io/v1/";

/** Docker's own file, so that a login with either program serves both. */
export function configPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.DOCKER_CONFIG || join(env.HOME ?? "/root", ".docker"), "config.json");
}

function readConfig(): ConfigFile {
  let text: string;
  try {
    text = fs.readFileSync(configPath(), "utf8");
  } catch {
    // None yet, or none that may be read: nobody is logged in.
    return {};
  }
  try {
    return JSON.parse(text) as ConfigFile;
  } catch (error) {
    throw new CliError(`${configPath()} is not valid JSON: ${errorMessage(error)}`);
  }
}

/** Changes the file; it is complete or unchanged, and for its owner's eyes. */
function updateConfig(change: (config: ConfigFile) => void): void {
  const path = configPath();
  const config = readConfig();
  change(config);
  fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  fs.writeFileSync(temporary, `${JSON.stringify(config, null, "\t")}\n`, { mode: 0o600 });
  fs.renameSync(temporary, path);
}

/** The registry of an image: the part before the first slash if it looks like a host. */
export function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const host = rest.length > 0 && (/[.:]/.test(first) || first === "localhost");
  return host && first !== "docker.io" && first !== "index.docker.io" ? first : hub;
}

/** What is known for a registry; undefined when nobody is logged in. */
export async function findCredentials(registry: string): Promise<Credentials | undefined> {
  const config = readConfig();
  const helper = config.credHelpers?.[registry] ?? config.credsStore;
  if (helper) return await askHelper(helper, registry);
  const entry = config.auths?.[registry] ?? config.auths?.[`https://${registry}`];
  if (!entry) return undefined;
  const decoded = entry.auth ? Buffer.from(entry.auth, "base64").toString() : "";
  const colon = decoded.indexOf(":");
  return {
    username: colon > 0 ? decoded.slice(0, colon) : entry.username,
    password: colon > 0 ? decoded.slice(colon + 1).replace(/\0+$/, "") : entry.password,
    identitytoken: entry.identitytoken,
    serveraddress: registry,
  };
}

/** The header that carries credentials to the daemon; none when nobody is logged in. */
export async function authHeader(image: string): Promise<Record<string, string>> {
  const credentials = await findCredentials(registryOf(image));
  return credentials
    ? { "X-Registry-Auth": Buffer.from(JSON.stringify(credentials)).toString("base64url") }
    : {};
}

/** Keeps credentials: with the helper that is configured, or in the file. Resolves to whether in the file. */
export async function storeCredentials(credentials: Credentials): Promise<boolean> {
  const { serveraddress, username = "", password = "", identitytoken } = credentials;
  const config = readConfig();
  const helper = config.credHelpers?.[serveraddress] ?? config.credsStore;
  if (helper) {
    const secret = identitytoken
      ? { Username: "<token>", Secret: identitytoken }
      : { Username: username, Secret: password };
    await runHelper(helper, "store", JSON.stringify({ ServerURL: serveraddress, ...secret }));
    return false;
  }
  const auth = Buffer.from(`${username}:${identitytoken ? "" : password}`).toString("base64");
  updateConfig((file) => {
    file.auths = { ...file.auths, [serveraddress]: { auth, ...(identitytoken ? { identitytoken } : {}) } };
  });
  return true;
}

/** Forgets a registry's credentials, if there are any. */
export async function eraseCredentials(registry: string): Promise<void> {
  const config = readConfig();
  const helper = config.credHelpers?.[registry] ?? config.credsStore;
  if (helper) await runHelper(helper, "erase", registry);
  if (config.auths?.[registry]) updateConfig((file) => delete file.auths?.[registry]);
}

async function askHelper(helper: string, registry: string): Promise<Credentials | undefined> {
  const answer = await runHelper(helper, "get", registry).catch((error: unknown) => {
    if (/credentials not found/.test(errorMessage(error))) return "";
    throw error;
  });
  if (answer === "") return undefined;
  const { Username, Secret } = JSON.parse(answer) as { Username: string; Secret: string };
  return Username === "<token>"
    ? { identitytoken: Secret, serveraddress: registry }
    : { username: Username, password: Secret, serveraddress: registry };
}

async function runHelper(helper: string, verb: string, input: string): Promise<string> {
  const { spawnSync } = await import("node:child_process");
  const program = `docker-credential-${helper}`;
  const { status, stdout, stderr, error } = spawnSync(program, [verb], { input, encoding: "utf8" });
  if (error) throw new CliError(`cannot run ${program}: ${error.message}`);
  if (status !== 0) throw new CliError(`${program} ${verb}: ${(stdout || stderr).trim()}`);
  return stdout;
}
