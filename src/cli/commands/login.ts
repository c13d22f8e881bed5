import { fs, tty } from "../builtin.ts";
import { atMost, defineCommand } from "../command.ts";
import { configPath, findCredentials, hub, storeCredentials } from "../credentials.ts";
import { CliError } from "../errors.ts";
import { err, out } from "../io/output.ts";

/** Checks and keeps the credentials of a registry. */
export const command = defineCommand({
  usage: "[OPTIONS] [SERVER]",
  summary: "Log in to a registry, Docker Hub by default",
  flags: {
    password: { type: "string", short: "p", help: "Password or access token" },
    "password-stdin": { type: "bool", help: "Read the password from stdin" },
    username: { type: "string", short: "u", help: "User name" },
  },
  arity: atMost(1),
  async run(flags, { args: [server = ""], changed, client }) {
    if (changed.has("password")) {
      err("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
      if (flags["password-stdin"])
        throw new CliError("--password and --password-stdin are mutually exclusive");
    }
    const registry =
      server === "" || server === "docker.io" ? hub : server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    let { username, password } = flags;
    if (flags["password-stdin"]) {
      if (username === "") throw new CliError("the --password-stdin option requires --username to be set");
      password = fs.readFileSync(0, "utf8").replace(/\r?\n$/, "");
    }
    if (username === "" || password === "") {
      const known = await findCredentials(registry);
      username ||= known?.username ?? ask("Username: ");
      if (known?.username === username) password ||= known.password ?? "";
      password ||= ask("Password: ", true);
    }
    const credentials = { username, password, serveraddress: registry };
    const answer = await client.json<{ Status?: string; IdentityToken?: string }>("POST", "/auth", {
      body: credentials,
    });
    const inFile = await storeCredentials({
      ...credentials,
      identitytoken: answer.IdentityToken || undefined,
    });
    if (inFile) err(`\nWARNING! Your credentials are stored unencrypted in '${configPath()}'.\n\n`);
    if (answer.Status) out(`${answer.Status}\n`);
    return 0;
  },
});

/** A line typed at the terminal, without echo if it is a secret. */
function ask(question: string, secret = false): string {
  if (!tty.isatty(0)) throw new CliError("Error: Cannot perform an interactive login from a non TTY device");
  out(question);
  if (secret) process.stdin.setRawMode(true);
  try {
    return readLine();
  } finally {
    if (secret) {
      process.stdin.setRawMode(false);
      out("\n");
    }
  }
}

function readLine(): string {
  const bytes: number[] = [];
  const byte = Buffer.alloc(1);
  while (fs.readSync(0, byte) === 1) {
    const key = byte[0] ?? 0;
    if (key === 3) throw new CliError("", 130);
    if (key === 10 || key === 13 || key === 4) break;
    if (key === 127 || key === 8) bytes.pop();
    else bytes.push(key);
  }
  return Buffer.from(bytes).toString().trim();
}
