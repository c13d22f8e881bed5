// The engine that the clients of these tests talk to: a daemon of the tests' own, or the one that
// DOCKER_TEST_HOST names (unix://…, with an image busybox), for comparison with another engine.
import { PassThrough } from "node:stream";
import { TestDaemon } from "../support/daemon.ts";

export interface TestEngine {
  socketPath: string;
  end(): Promise<void>;
}

export async function testEngine(name: string): Promise<TestEngine> {
  const other = process.env.DOCKER_TEST_HOST;
  if (other) return { socketPath: other.replace("unix://", ""), end: async () => {} };
  const daemon = await TestDaemon.start(name);
  return { socketPath: daemon.socket, end: () => daemon.end() };
}

/** A stream that keeps what is written to it as text. */
export class Sink extends PassThrough {
  text = "";

  constructor() {
    super();
    this.on("data", (chunk: Buffer) => {
      this.text += chunk.toString();
    });
  }

  /** Resolves when the text has `part`. */
  async until(part: string): Promise<void> {
    while (!this.text.includes(part)) await new Promise((resolve) => this.once("data", resolve));
  }
}

/** Says a line on both streams, reads one, says it back and exits with 3. */
export const talk = 'echo out; echo err >&2; read line; echo "got $line"; exit 3';

/** Runs until it is told to end. */
export const idle = "trap 'exit 0' TERM; touch /dev/shm/ready; while :; do sleep 0.05; done";

/** For an exec: ends when `idle` can be told to end, at this start of the container. */
export const idles = ["sh", "-c", "until [ -e /dev/shm/ready ]; do sleep 0.01; done"];
