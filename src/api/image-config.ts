import type { ImageConfig } from "@docker/node-sdk";

/** What the image specification has, in Docker's order; until 1.50 an image showed a container's configuration. */
const fields = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
  "ArgsEscaped",
  "Healthcheck",
  "OnBuild",
  "Shell",
] as const;

const legacy = {
  Hostname: "",
  Domainname: "",
  User: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: "",
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** An image's configuration as a client of API 1.`version` expects it. */
export function imageConfigFor(version: number, config: ImageConfig): object {
  if (version < 50) return { ...legacy, ...config };
  return Object.fromEntries(
    fields.flatMap((field) => (isEmpty(config[field]) ? [] : [[field, config[field]]])),
  );
}
