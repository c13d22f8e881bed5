import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, request, Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Machines } from "../engine/machines/types.ts";
import type { Attachment, Cgroups, Containers, Execs, Explains, Networks, System } from "../engine/types.ts";
import { silentLogger } from "../lib/log.ts";
import { ApiServer } from "./server.ts";
import type { Services } from "./services.ts";

const unexpected = (): Promise<never> => Promise.reject(new Error("not part of this test"));

/** Services for tests of the API: what a test does not give fails when it is called. */
export function fakeServices(
  given: {
    containers?: Partial<Containers>;
    execs?: Partial<Execs>;
    networks?: Partial<Networks>;
    system?: Partial<System>;
    explain?: Partial<Explains>;
    cgroups?: Partial<Cgroups>;
    machines?: Partial<Machines>;
    builds?: Partial<Services["builds"]>;
    volumes?: Partial<Services["volumes"]>;
    images?: Partial<Services["images"]>;
  } = {},
): Services {
  return {
    experimental: false,
    containers: {
      create: unexpected,
      list: unexpected,
      inspect: unexpected,
      start: unexpected,
      stop: unexpected,
      restart: unexpected,
      kill: unexpected,
      pause: unexpected,
      unpause: unexpected,
      rename: unexpected,
      update: unexpected,
      wait: unexpected,
      remove: unexpected,
      prune: unexpected,
      logs: unexpected,
      attach: unexpected,
      resize: unexpected,
      top: unexpected,
      stats: unexpected,
      changes: unexpected,
      commit: unexpected,
      export: unexpected,
      statPath: unexpected,
      getArchive: unexpected,
      putArchive: unexpected,
      ...given.containers,
    },
    execs: { create: unexpected, start: unexpected, inspect: unexpected, resize: unexpected, ...given.execs },
    networks: {
      list: unexpected,
      inspect: unexpected,
      create: unexpected,
      connect: unexpected,
      disconnect: unexpected,
      remove: unexpected,
      prune: unexpected,
      repair: unexpected,
      ...given.networks,
    },
    system: {
      info: unexpected,
      version: unexpected,
      diskUsage: unexpected,
      events: async function* () {},
      ...given.system,
    },
    explain: { launch: unexpected, container: unexpected, ...given.explain },
    machines: {
      create: unexpected,
      list: unexpected,
      inspect: unexpected,
      start: unexpected,
      stop: unexpected,
      restart: unexpected,
      remove: unexpected,
      console: unexpected,
      exec: unexpected,
      logs: unexpected,
      templates: unexpected,
      createTemplate: unexpected,
      removeTemplate: unexpected,
      snapshots: unexpected,
      createSnapshot: unexpected,
      restoreSnapshot: unexpected,
      removeSnapshot: unexpected,
      ...given.machines,
    },
    cgroups: {
      tree: unexpected,
      inspect: unexpected,
      create: unexpected,
      update: unexpected,
      put: unexpected,
      remove: unexpected,
      ...given.cgroups,
    },
    builds: {
      buildFrom: unexpected,
      checkFrom: unexpected,
      cache: unexpected,
      prune: unexpected,
      ...given.builds,
    },
    volumes: {
      list: unexpected,
      create: unexpected,
      inspect: unexpected,
      remove: unexpected,
      prune: unexpected,
      ...given.volumes,
    },
    images: {
      load: unexpected,
      import: unexpected,
      list: unexpected,
      inspect: unexpected,
      extras: unexpected,
      history: unexpected,
      tag: unexpected,
      remove: unexpected,
      prune: unexpected,
      pull: unexpected,
      check: unexpected,
      push: unexpected,
      save: unexpected,
      login: unexpected,
      search: unexpected,
      distribution: unexpected,
      remoteManifest: unexpected,
      ...given.images,
    },
  };
}

export interface TestServer extends AsyncDisposable {
  socketPath: string;
  fetch(method: string, path: string, options?: FetchOptions): Promise<Answer>;
}

export interface FetchOptions {
  headers?: Record<string, string>;
  body?: string | Buffer;
  json?: unknown;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** An API server over `services` on a socket of its own. */
export async function serveForTest(services: Services, onRequest?: () => void): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), "berth-api-test-"));
  const socketPath = join(directory, "api.sock");
  const server = new ApiServer(
    { services, log: silentLogger, release: "0.0.0", onRequest },
    (settings, handler) => new Server(settings, handler),
  );
  await new Promise<void>((resolve) => server.http.listen(socketPath, resolve));
  return {
    socketPath,
    fetch: (method, path, options) => send(socketPath, method, path, options),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
}

function send(socketPath: string, method: string, path: string, options: FetchOptions = {}): Promise<Answer> {
  const headers = { ...options.headers };
  let body = options.body;
  if (options.json !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.json);
  }
  if (body !== undefined) headers["Content-Length"] = String(Buffer.byteLength(body));
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

export interface FakeAttachment extends Attachment {
  /** Everything the client typed. */
  input: Buffer[];
  stdinClosed: Promise<void>;
  closed: Promise<void>;
  emit(stream: "stdout" | "stderr", text: string): Promise<void>;
  /** Ends the process's output. */
  end(): void;
}

/** A process's streams in the hands of a test. */
export function fakeAttachment(tty = false): FakeAttachment {
  const stdinClosed = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const { readable, writable } = new TransformStream<{ stream: "stdout" | "stderr"; data: Buffer }>();
  const writer = writable.getWriter();
  const input: Buffer[] = [];
  return {
    tty,
    output: readable,
    input,
    stdinClosed: stdinClosed.promise,
    closed: closed.promise,
    write: async (data) => {
      input.push(data);
    },
    closeStdin: stdinClosed.resolve,
    close() {
      closed.resolve();
      writer.close().catch(() => {});
    },
    emit: (stream, text) => writer.write({ stream, data: Buffer.from(text) }),
    end: () => void writer.close(),
  };
}
