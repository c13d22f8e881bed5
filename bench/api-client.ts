import { Agent, request } from "node:http";

/** The least that speaks the Docker Engine API: keep-alive HTTP over a unix socket, the same for every peer. */
export class ApiClient {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Sends a request and reads the whole answer. Rejects when the status is none of 2xx and 304. */
  call(method: string, path: string, body?: unknown): Promise<Buffer> {
    const raw = Buffer.isBuffer(body);
    const sent = body === undefined || raw ? body : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          socketPath: this.#socketPath,
          agent: this.#agent,
          method,
          path,
          headers: sent
            ? {
                "content-type": raw ? "application/x-tar" : "application/json",
                "content-length": sent.length,
              }
            : {},
        },
        (incoming) => {
          const parts: Buffer[] = [];
          incoming.on("data", (part: Buffer) => parts.push(part));
          incoming.on("error", reject);
          incoming.on("end", () => {
            const answer = Buffer.concat(parts);
            const status = incoming.statusCode ?? 0;
            if ((status >= 200 && status < 300) || status === 304) resolve(answer);
            else reject(new Error(`${method} ${path}: ${status} ${answer}`));
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(sent);
    });
  }

  async json<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    return JSON.parse((await this.call(method, path, body)).toString());
  }

  /** Resolves when the daemon answers, asking again every 2 ms; rejects after `limit` milliseconds. */
  async ready(limit: number): Promise<void> {
    const started = performance.now();
    for (;;) {
      try {
        await this.call("GET", "/_ping");
        return;
      } catch (error) {
        if (performance.now() - started > limit) throw error;
        await new Promise((resume) => setTimeout(resume, 2));
      }
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}
