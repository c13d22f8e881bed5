import { type Client, text } from "../client/client.ts";
import { atLeast, defineCommand } from "../command.ts";
import { ApiError, CliError } from "../errors.ts";
import { InspectError, inspectAll, inspectFormatFlag } from "../inspect.ts";

/** Paths of the kinds of object, in the order in which a name is looked for. */
const paths: Record<string, (name: string) => string> = {
  container: (name) => `/containers/${name}/json`,
  image: (name) => `/images/${name}/json`,
  network: (name) => `/networks/${name}`,
  volume: (name) => `/volumes/${name}`,
};

const known = [
  "config",
  "container",
  "image",
  "network",
  "node",
  "plugin",
  "secret",
  "service",
  "task",
  "volume",
];

/** Shows all that is known of objects of any kind. */
export const command = defineCommand({
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Show everything about containers, images, networks or volumes",
  flags: {
    format: inspectFormatFlag,
    size: { type: "bool", short: "s", help: "Show sizes of a container's filesystem" },
    type: { type: "string", completes: Object.keys(paths), help: "Look only for this kind of object" },
  },
  arity: atLeast(1),
  completes: "container",
  async run(flags, { args, changed, client }) {
    const kind = flags.type;
    if (changed.has("type") && !known.includes(kind))
      throw new CliError(
        kind === ""
          ? `type is empty: must be one of "${known.join('", "')}"`
          : `unknown type: ${JSON.stringify(kind)}: must be one of "${known.join('", "')}"`,
      );
    const path = paths[kind];
    if (kind !== "" && path === undefined) throw new CliError(`there are no objects of type ${kind} here`);
    const get = (name: string) =>
      path ? find(client, path, name, flags.size) : search(client, name, flags.size);
    return await inspectAll(args, get, flags.format);
  },
});

async function search(client: Client, name: string, size: boolean): Promise<string> {
  for (const path of Object.values(paths)) {
    try {
      return await find(client, path, name, size);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }
  throw new InspectError(`Error: No such object: ${name}`);
}

async function find(
  client: Client,
  path: (name: string) => string,
  name: string,
  size: boolean,
): Promise<string> {
  const { body } = await client.request("GET", path(encodeURIComponent(name)), {
    query: { size: size && path === paths.container ? 1 : undefined },
  });
  return await text(body);
}
