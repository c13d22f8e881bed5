import type { SshAgents } from "../build/types.ts";
import { Channels } from "../lib/channels.ts";
import { invalid } from "../lib/errors.ts";
import type { Context } from "./context.ts";

/** The ssh agents that clients offer to their builds, by session and id. */
const sessions = new Map<string, Map<string, Channels>>();

/**
 * POST /build/agent, which Docker does not have: the connection becomes one on which the daemon opens streams
 * to the client's agent `id`, for the builds that name `session`, until it ends.
 */
export async function offerAgent(context: Context): Promise<void> {
  const session = sessionName(context);
  const id = context.query.text("id") ?? "default";
  const agents = sessions.get(session) ?? new Map<string, Channels>();
  if (agents.has(id)) throw invalid(`there is an agent ${id} already`);
  const { socket } = await context.hijack(false);
  const channels = new Channels(socket);
  agents.set(id, channels);
  sessions.set(session, agents);
  await channels.closed;
  agents.delete(id);
  if (agents.size === 0) sessions.delete(session);
}

function sessionName({ query }: Context): string {
  const session = query.text("session") ?? "";
  // Nobody is to guess it.
  if (!/^[0-9a-f]{32,64}$/.test(session)) throw invalid("session must be 32 to 64 hexadecimal digits");
  return session;
}

/** The agents of a session. */
export function agentsOf(session: string | undefined): SshAgents | undefined {
  const agents = session === undefined ? undefined : sessions.get(session);
  return (
    agents && {
      has: (id) => agents.has(id),
      connect: (id) => {
        const channels = agents.get(id);
        if (!channels) throw invalid(`the client's ssh agent ${id} is gone`);
        return channels.open();
      },
    }
  );
}
