import type { FlagTable } from "./flags/flag.ts";

/** Flags before the command. */
export const globalFlags = {
  config: {
    type: "string",
    completes: "file",
    help: "Directory of docker's config.json, with the credentials of registries (default $DOCKER_CONFIG)",
  },
  context: { type: "string", short: "c", help: "Only `default`: there are no contexts here" },
  debug: { type: "bool", short: "D", help: "Show more about what goes wrong" },
  host: { type: "list", short: "H", help: "Address of the daemon: unix://PATH or tcp://NAME:PORT" },
  "log-level": {
    type: "string",
    short: "l",
    default: "info",
    help: 'How much to log: "debug", "info", "warn", "error" or "fatal"',
  },
  tls: { type: "bool", help: "Use TLS; --tlsverify implies it" },
  tlscacert: { type: "string", help: "File of the authority to trust (default $DOCKER_CERT_PATH/ca.pem)" },
  tlscert: { type: "string", help: "File of the client's certificate (default $DOCKER_CERT_PATH/cert.pem)" },
  tlskey: { type: "string", help: "File of the client's key (default $DOCKER_CERT_PATH/key.pem)" },
  tlsverify: { type: "bool", help: "Use TLS and check the server's certificate" },
  version: { type: "bool", short: "v", help: "Show the version and quit" },
} as const satisfies FlagTable;
