import type { State } from "../../state/index.ts";

/** What a file's content was, as long as it is the same by its identity. */
export interface Digest {
  digest: string;
  capability?: string;
}

/** The digests of one directory's files, by their identities. */
export interface DirectoryDigests {
  get(identity: string): Digest | undefined;
  set(identity: string, digest: Digest): void;
}

/** Directories whose digests stay in memory. */
const maxOpen = 4;

interface Known {
  all: Map<string, Digest>;
  /** Asked for since it was written: what is not is of files that are gone. */
  used: Map<string, Digest>;
  isChanged: boolean;
}

/** The digests of files in directories that were built from, so that only what changed is read again. */
export class ContextDigests {
  readonly #state: State;
  readonly #open = new Map<string, Known>();

  constructor(state: State) {
    this.#state = state;
  }

  /** `root` names a directory and nothing else. */
  open(root: string): DirectoryDigests {
    const known = this.#open.get(root) ?? this.#load(root);
    this.#open.delete(root);
    this.#open.set(root, known);
    for (const name of this.#open.keys()) {
      if (this.#open.size <= maxOpen) break;
      this.#open.delete(name);
    }
    return {
      get: (identity) => {
        const found = known.all.get(identity);
        if (found) known.used.set(identity, found);
        return found;
      },
      set: (identity, digest) => {
        known.all.set(identity, digest);
        known.used.set(identity, digest);
        known.isChanged = true;
      },
    };
  }

  #load(root: string): Known {
    const row = this.#state.statement("SELECT digests FROM build_contexts WHERE root = ?").get(root);
    const all = new Map<string, Digest>();
    for (const line of String(row?.digests ?? "").split("\n")) {
      const [identity = "", digest = "", capability] = line.split("\t");
      if (digest !== "") all.set(identity, { digest, ...(capability ? { capability } : {}) });
    }
    return { all, used: new Map(), isChanged: false };
  }

  /** Writes down what was learned. */
  save(root: string): void {
    const known = this.#open.get(root);
    if (!known || !this.#state.db.isOpen) return;
    const { all, used } = known;
    // A build may have asked for a part alone; what grows beyond all sense is of files that are gone.
    if (all.size > 2 * used.size + 1000) known.all = new Map(used);
    known.used = new Map();
    if (!known.isChanged) {
      this.#state.statement("UPDATE build_contexts SET last_used = ? WHERE root = ?").run(Date.now(), root);
      return;
    }
    known.isChanged = false;
    const lines = [...known.all].map(([identity, { digest, capability = "" }]) =>
      [identity, digest, capability].join("\t"),
    );
    this.#state
      .statement("INSERT OR REPLACE INTO build_contexts VALUES (?, ?, ?)")
      .run(root, lines.join("\n"), Date.now());
  }
}
